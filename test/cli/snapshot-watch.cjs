// Put before the bundle while a snapshot of it is made: tells on standard error who asks for chance, the time or this
// machine, a line each: `asked <what> <file>`. What was asked for then would be the same in every process.
'use strict';
{
  const fs = process.getBuiltinModule('node:fs');
  const tell = (what) => {
    const [, , asker = '', ...above] = new Error().stack.split('\n').slice(1);
    // Node's own questions are Node's to answer in a snapshot.
    if (/\(node:|at node:/.test(asker)) return;
    // esbuild keeps the name of a module in the frame that runs it; a function of the program shows its own.
    const frame = [asker, ...above].find((line) => /^ +at (?:src|node_modules)\//.test(line));
    fs.writeSync(2, `asked ${what} ${/(?:src|node_modules)\/\S+/.exec(frame ?? '')?.[0] ?? 'somewhere'}\n`);
  };
  const watchCalls = (label, object, names) => {
    for (const name of names) {
      const real = object[name];
      const told = function (...given) {
        tell(`${label}.${name}`);
        return real.apply(this, given);
      };
      if (name === 'hrtime') {
        told.bigint = () => {
          tell('process.hrtime');
          return real.bigint();
        };
      }
      object[name] = told;
    }
  };
  const chance = ['randomBytes', 'randomUUID', 'randomInt', 'randomFill', 'randomFillSync', 'generateKeySync'];
  watchCalls('crypto', process.getBuiltinModule('node:crypto'), chance);
  watchCalls('Math', Math, ['random']);
  watchCalls('Date', Date, ['now']);
  watchCalls('performance', performance, ['now']);
  const machine = ['hostname', 'homedir', 'userInfo', 'tmpdir', 'networkInterfaces', 'cpus', 'availableParallelism'];
  watchCalls('os', process.getBuiltinModule('node:os'), machine);
  watchCalls('process', process, ['cwd', 'hrtime', 'uptime', 'memoryUsage', 'getuid', 'umask']);
  watchCalls('fs', fs, [
    'readFileSync',
    'existsSync',
    'statSync',
    'lstatSync',
    'openSync',
    'readlinkSync',
    'readdirSync',
  ]);
  globalThis.Date = new Proxy(Date, {
    construct(target, given, made) {
      if (given.length === 0) tell('new Date');
      return Reflect.construct(target, given, made);
    },
  });
  const { env } = process;
  const watchedEnv = new Proxy(env, {
    get(target, name) {
      if (typeof name === 'string') tell(`process.env.${name}`);
      return target[name];
    },
    ownKeys(target) {
      tell('process.env');
      return Reflect.ownKeys(target);
    },
  });
  Object.defineProperty(process, 'env', { configurable: true, get: () => watchedEnv });
  for (const name of ['argv', 'execArgv', 'execPath', 'pid', 'ppid', 'stdin', 'stdout', 'stderr', 'title']) {
    const property = Object.getOwnPropertyDescriptor(process, name);
    Object.defineProperty(process, name, {
      configurable: true,
      get() {
        tell(`process.${name}`);
        return property.get ? property.get.call(process) : property.value;
      },
    });
  }
}
