/** What Gemini takes in place of a `thoughtSignature` that nobody knows (protocols.md §2.4). */
export const SKIP_SIGNATURE = 'skip_thought_signature_validator';
