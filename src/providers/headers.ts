// Header fields of an upstream request.

/** Own fields and, over them, those the user gave the credential (upstreams.md §1.5): lower-case names, no empty ones. */
export function mergeHeaders(
  own: Readonly<Record<string, string>>,
  custom: Readonly<Record<string, string>>,
): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const headers of [own, custom]) {
    for (const [name, value] of Object.entries(headers)) {
      const key = name.trim().toLowerCase();
      const text = value.trim();
      if (key !== '' && text !== '') merged[key] = text;
    }
  }
  return merged;
}
