// Plays one vector through the real server and gives what differs.
import http from 'node:http';
import { checkAnswer, checkRequest, type SeenAnswer } from './compare.ts';
import type { Vector } from './format.ts';
import { type MockUpstream, startMockUpstream } from './mock-upstream.ts';
import { type System, startSystem } from './system.ts';

export interface Runner {
  run(vector: Vector): Promise<string[]>;
  /** Everything that was seen, for people. */
  inspect(vector: Vector): Promise<{ differences: string[]; upstream: string[]; answer: SeenAnswer }>;
  close(): Promise<void>;
}

export async function startRunner(): Promise<Runner> {
  const mock: MockUpstream = await startMockUpstream();
  const system: System = await startSystem(mock.port);
  const agent = new http.Agent({ keepAlive: true });
  const inspect: Runner['inspect'] = async (vector) => {
    const seen = mock.play(vector);
    const answer = await send(system.url, vector, agent);
    const differences = [...checkRequest(vector, seen), ...checkAnswer(vector, answer)];
    return { differences, upstream: seen.map((request) => `${request.path} ${request.body}`), answer };
  };
  return {
    inspect,
    run: async (vector) => (await inspect(vector)).differences,
    async close() {
      agent.destroy();
      await system.close();
      await mock.close();
    },
  };
}

function send(url: string, vector: Vector, agent: http.Agent): Promise<SeenAnswer> {
  const { method, path, headers, body } = vector.client_request;
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const request = http.request(
      url + path,
      {
        method: method ?? 'POST',
        headers: { ...headers, 'content-type': 'application/json', 'content-length': bytes.length },
        agent,
      },
      (response) => {
        const chunks: Buffer[] = [];
        const done = () =>
          resolve({
            status: response.statusCode ?? 0,
            contentType: response.headers['content-type'] ?? '',
            body: Buffer.concat(chunks).toString('utf8'),
          });
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', done);
        // A cut stream is an answer too: what came is judged.
        response.on('error', done);
      },
    );
    request.on('error', reject);
    request.end(bytes);
  });
}
