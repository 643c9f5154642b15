/** All pieces of text of a whole answer or a stream, in whatever of the four protocols, joined in order. */
export function pieces(answer: string): string {
  return [...answer.matchAll(/"(?:content|text|delta)":\s*"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]).join('');
}
