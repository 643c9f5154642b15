// V8 cannot keep the insides of these modules in a start-up snapshot: in the bundle they load when a member of theirs is
// first asked for, which is after the start.
const late = ['http', 'https', 'tls', 'sqlite'];

/** Data, the same in every process. */
const constants = new Set(['METHODS', 'STATUS_CODES', 'maxHeaderSize']);

/** Classes that libraries look up as they load, and use in `instanceof` only. */
const classes = new Set(['IncomingMessage']);

export const lateBuiltins = {
  name: 'late-builtins',
  setup(bundle) {
    bundle.onResolve({ filter: new RegExp(`^(?:node:)?(?:${late.join('|')})$`) }, ({ path }) => ({
      path: path.replace('node:', ''),
      namespace: 'late',
    }));
    bundle.onLoad({ filter: /.*/, namespace: 'late' }, ({ path }) => ({ contents: lateModule(path) }));
  },
};

function lateModule(name) {
  const members = Object.entries(process.getBuiltinModule(`node:${name}`)).map(([member, value]) => {
    const key = JSON.stringify(member);
    if (constants.has(member)) return `${key}: ${JSON.stringify(value)}`;
    if (classes.has(member)) {
      return `${key}: class { static [Symbol.hasInstance](it) { return it instanceof load()[${key}]; } }`;
    }
    return `get ${key}() { return load()[${key}]; }`;
  });
  return `const load = () => process.getBuiltinModule('node:${name}');\nmodule.exports = { ${members.join(',\n')} };`;
}
