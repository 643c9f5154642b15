import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { mock, test } from 'node:test';
import { standardOutput } from '../../src/observe/standard-output.ts';

async function withFile(use: (file: string, descriptor: number) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'standard-output-'));
  const file = path.join(folder, 'out');
  const descriptor = fs.openSync(file, 'w');
  try {
    await use(file, descriptor);
  } finally {
    fs.closeSync(descriptor);
    fs.rmSync(folder, { recursive: true });
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('an urgent line takes the calm ones before it along, in order', () =>
  withFile(async (file, descriptor) => {
    const output = standardOutput(descriptor);
    output.write('one\n', false);
    output.write('two\n', true);
    output.write('three\n', false);
    while (!fs.readFileSync(file, 'utf8').includes('three')) await turn();
    assert.equal(fs.readFileSync(file, 'utf8'), 'one\ntwo\nthree\n');
  }));

test('what still waits is written when the process is about to end', () =>
  withFile(async (file, descriptor) => {
    const output = standardOutput(descriptor);
    output.write('last words\n', false);
    output.flush();
    assert.equal(fs.readFileSync(file, 'utf8'), 'last words\n');
  }));

test('calm lines that come while others are written wait for company all the same', () =>
  withFile(async (file, descriptor) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const output = standardOutput(descriptor);
      output.write('one\n', true);
      output.write('two\n', false);
      while (fs.readFileSync(file, 'utf8') !== 'one\n') await turn();
      // Each is a way through the thread pool and back, as a second write would be.
      for (let n = 0; n < 50; n++) await fs.promises.stat(file);
      assert.equal(fs.readFileSync(file, 'utf8'), 'one\n');
      output.write('three\n', false);
      mock.timers.tick(25);
      while (!fs.readFileSync(file, 'utf8').includes('three')) await turn();
      assert.equal(fs.readFileSync(file, 'utf8'), 'one\ntwo\nthree\n');
    } finally {
      mock.timers.reset();
    }
  }));
