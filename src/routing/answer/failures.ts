// Failures that only show while an answer is read (spec/upstreams.md §8 rows 1–6).
import { Failure } from '../../failure.ts';

export function cutShort(): Failure {
  return new Failure({
    kind: 'transient',
    status: 502,
    message: 'the upstream ended its answer before it was complete',
    code: 'upstream_stream_cut',
  });
}

export function emptyAnswer(): Failure {
  return new Failure({
    kind: 'transient',
    status: 502,
    message: 'the upstream sent an empty answer',
    code: 'upstream_empty',
  });
}

export function notJson(): Failure {
  return new Failure({
    kind: 'transient',
    status: 502,
    message: 'the upstream answered with something that is not JSON',
    code: 'upstream_bad_body',
  });
}

export function tooLarge(limitBytes: number): Failure {
  return new Failure({
    kind: 'transient',
    status: 502,
    message: `the upstream's answer is larger than ${Math.round(limitBytes / 1024 / 1024)} MiB`,
    code: 'upstream_too_large',
  });
}
