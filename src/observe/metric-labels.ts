// Keeps label values few: a name from outside becomes a label only when it is known, and only so many do.

/** What everything else is counted under. */
export const otherLabel = 'other';

export interface LabelOptions {
  /** Distinct values at most; later ones are `other`. */
  limit: number;
  /** Asked once per admitted value. Default: every name is known. */
  known?(name: string): boolean;
}

/** A function from names to labels. Admitted values stay for the life of the process: counters must not change names. */
export function boundedLabel({ limit, known }: LabelOptions): (name: string | undefined) => string {
  const admitted = new Set<string>();
  return (name) => {
    if (name === undefined || name === '') return '';
    if (admitted.has(name)) return name;
    if (admitted.size >= limit || name.length > 128 || /\p{Cc}/u.test(name)) return otherLabel;
    if (known !== undefined && !known(name)) return otherLabel;
    admitted.add(name);
    return name;
  };
}

const classes: readonly (string | undefined)[] = [undefined, '1xx', '2xx', '3xx', '4xx', '5xx'];

/** `2xx` … `5xx`; `aborted` for clients that left; `none` when no answer came. */
export function statusClass(status: number): string {
  if (status === 499) return 'aborted';
  return classes[Math.trunc(status / 100)] ?? 'none';
}
