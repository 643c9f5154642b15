// Vectors we hold to be wrong, each with the official contract that says so. Must stay very few.
export const disputed: Readonly<Record<string, string>> = {};
