// What was said in a Responses WebSocket session, so that `previous_response_id` works with every upstream: the turn that
// follows is sent whole. No upstream state is relied on, so any credential may serve any turn (spec/routing.md §3).
import { invalidRequest } from '../failure.ts';
import { asObject, isObject } from '../protocols/json.ts';
import type { Json, JsonObject } from '../protocols/neutral.ts';

/** Conversations remembered per session; clients go on from the last one. */
const longestMemory = 4;

export class ResponseTranscripts {
  /** Input and output so far, by response id, oldest first. */
  readonly #said = new Map<string, Json[]>();
  /** Input of the request under way. */
  #input: Json[] = [];
  #output: Json[] = [];

  /** The request as one that stands for itself. Throws a 400 for a response that is not known here. */
  complete(body: JsonObject): JsonObject {
    const { previous_response_id: previous, generate: _, ...rest } = body;
    const own = itemsOf(body.input);
    let earlier: Json[] = [];
    if (typeof previous === 'string') {
      const known = this.#said.get(previous);
      if (known === undefined) {
        throw invalidRequest(`Previous response with id '${previous}' not found.`, {
          code: 'previous_response_not_found',
        });
      }
      earlier = known;
    }
    this.#input = [...earlier, ...own];
    this.#output = [];
    return { ...rest, input: this.#input };
  }

  /** One event of the answer, as JSON text; most say nothing about items and are not parsed. */
  observe(event: string): void {
    const done = event.includes('"response.output_item.done"');
    const ended = event.includes('"response.completed"') || event.includes('"response.incomplete"');
    if (!done && !ended) return;
    const parsed = JSON.parse(event) as Json;
    if (!isObject(parsed)) return;
    if (parsed.type === 'response.output_item.done' && isObject(parsed.item)) this.#output.push(parsed.item);
    const response = asObject(parsed.response);
    if (!ended || typeof response?.id !== 'string') return;
    const told = Array.isArray(response.output) && response.output.length > 0 ? response.output : this.#output;
    this.#said.set(response.id, [...this.#input, ...told]);
    const oldest = this.#said.keys().next().value;
    if (this.#said.size > longestMemory && oldest !== undefined) this.#said.delete(oldest);
  }
}

function itemsOf(input: Json | undefined): Json[] {
  if (Array.isArray(input)) return input;
  if (typeof input !== 'string') return [];
  return [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input }] }];
}
