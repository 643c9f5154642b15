// Recordings that we answer differently on purpose, each with what we answer and why. Rows: management-api.md §21 (R…),
// its sections (§…), auth.md.
export interface Deviation {
  why: string;
  /** Our status when it differs. */
  status?: number;
  /** Our `error` when it differs. */
  error?: string;
  /** The recorded body does not apply. */
  body?: false;
}

const many = (ids: string, why: string): Record<string, string> =>
  Object.fromEntries(ids.split(' ').map((id) => [id, why]));

/** Recorded at the server around management, or at parts that this program does not have. */
export const elsewhere: Record<string, string> = {
  ...many('001 002 003 005 006 007 008 009 590', 'routes of the server itself: tested with the server'),
  ...many('591 592 593 594', '/keep-alive belongs to the server'),
  ...many('599 600 601 636', 'the panel page belongs to the server'),
  ...many('602 603 604 605 606', 'no profiler listener: figures are at /metrics (§4.1)'),
  ...many('607 608 609 610 612', 'the AI Studio relay is not part of this program'),
  ...many('637 638 639', 'another log folder at start: decided by the configuration, tested there'),
  ...many('644', 'opens the fixed port 1455: login-sessions.test.ts does it with a free port'),
};

const each = (ids: string, deviation: Deviation): Record<string, Deviation> =>
  Object.fromEntries(ids.split(' ').map((id) => [id, deviation]));

export const deviations: Record<string, Deviation> = {
  // access
  '020': { why: 'R8: forwarded headers of strangers mean nothing; played from the address itself' },
  ...each('022 074', { why: 'R3: 405 with Allow', status: 405, error: 'method not allowed' }),
  '561': { why: 'R9: no preflight while management is off', status: 404, error: '404 page not found' },
  ...each('579 581 582', { why: 'R8: a missing key does not count, so there is no ban yet', status: 200, body: false }),
  '598': { why: '§20 #14: -password is enough alone', status: 200, body: false },
  '640': { why: '§2.4: all of 127.0.0.0/8 is loopback', status: 200, body: false },

  // settings
  '024': { why: 'config.md §4: auth-auto-refresh-workers is shown in effect, 16', body: false },
  ...each('095 103', { why: '§6 BUG: a negative number becomes 0', body: false }),
  '107': { why: '§19: max-retry-credentials is one of the v7 additions', status: 200, body: false },

  // lists
  ...each('146 205 206 229 230 255 256 277', {
    why: '§7, §8: nothing to delete is 404',
    status: 404,
    error: 'item not found',
  }),
  '158': { why: '§7 BUG: keys are trimmed, blanks and repeats dropped', body: false },
  '299': { why: '§9 BUG: a wrong type changes nothing', status: 400, error: 'invalid body' },
  '349': { why: '§10: without names nothing is deleted', status: 400, error: 'missing value' },
  '350': { why: 'follows 349', body: false },
  '643': { why: '§7: old: null adds the key', status: 200, body: false },
  '645': { why: '§8: unknown fields are refused, not lost', status: 422, error: 'invalid body' },
  '646': { why: 'follows 645', body: false },

  // versions
  ...each('366 658 667', { why: '§11.3: no release feed is asked', status: 200, body: false }),

  // files
  ...each('394 395', { why: 'R11: not a name', status: 400, error: 'invalid name' }),
  ...each('401 403 410', {
    why: "a wrong body is the sender's fault",
    status: 400,
    error: 'invalid auth file: not valid JSON',
  }),
  '402': { why: "a wrong body is the sender's fault", status: 400, error: 'invalid auth file: not a JSON object' },
  ...each('404 408', { why: 'R13: incomplete files are refused', status: 422, error: 'incomplete auth file' }),
  ...each('405 406', { why: 'R11: no quotes in names', status: 400, error: 'invalid name' }),
  '412': { why: 'R13: incomplete files are refused', status: 207, body: false },
  '413': { why: 'R13: incomplete files are refused', body: false },
  '414': { why: 'our own words for a broken form', error: 'invalid multipart form: no part' },
  ...each('415 448', { why: 'R13: the incomplete uploads are not there', body: false }),
  ...each('445 446', { why: '§20 #9: only credential files are deleted', status: 400, error: 'invalid name' }),
  '467': { why: 'R13: the incomplete uploads are not there', body: false },
  '459': { why: 'our own words', error: 'invalid json' },
  '461': { why: 'our own words', error: 'invalid service account' },
  '654': { why: 'two faults at once: the project is looked at first', error: 'project_id missing' },
  '668': { why: 'R18: the state of a credential stays', body: false },

  // usage and logs
  ...each('471 472 480', { why: 'config.md §12: `source` is masked', body: false }),
  '657': { why: 'config.md §12: without an e-mail `source` is no client key', body: false },
  ...each('484 485 490', { why: 'the lines are our own', body: false }),
  '491': { why: '§16: numbered rotations are older than dated ones', body: false },
  ...each('504 506', { why: 'R11: not a request id', status: 400, error: 'invalid request ID' }),
  '512': { why: '§16: no NUL bytes after clearing', body: false },

  // api-call
  ...each('519 520 521 522 523', { why: 'R14: no token to unknown hosts', status: 403, error: 'host not allowed' }),
  ...each('524 526 527', { why: 'R14: no such credential', status: 404, error: 'auth not found' }),

  // logins
  '536': { why: 'auth.md §5.6: an unknown login is not ok', body: false },
  '548': { why: 'auth.md §5.6: with the cause', error: 'Bad request: access_denied' },
  '550': { why: 'auth.md §5.4: the page says what happened', status: 400, body: false },
  ...each('538 553 554 555 556', {
    why: 'auth.md §2.3: random states, PKCE; texts of URLs are tested with the providers',
    body: false,
  }),

  // whole file
  '567': { why: 'recorded as a remark', body: false },
  ...each('614 615 651 653', { why: 'our own words', error: 'invalid_yaml' }),
  '616': { why: 'our own words', error: 'invalid_config' },
  ...each('617 620 623 652', { why: 'R7: the real keys stand beside `config`', body: false }),
  '628': { why: '§20 #4: what was deleted stays deleted', body: false },
  '631': { why: '§20 #11: no paths in answers', error: 'failed to save config' },
  '632': { why: 'R5: what was not stored is not in force', body: false },
  '634': { why: 'R6: an empty file is refused', status: 422, error: 'invalid_config' },
  '635': { why: 'follows 634', status: 200, body: false },
};
