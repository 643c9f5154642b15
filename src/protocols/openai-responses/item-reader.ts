// Output items of a Responses stream → blocks: deltas as they come, repairs from the finished item.
import { asNumber, asObject, asString, asText, parseObject } from '../json.ts';
import type { Json, JsonObject } from '../neutral.ts';
import type { Emit } from '../protocol.ts';
import { joinedSummary } from './reasoning-summary.ts';

type BlockKind = 'text' | 'refusal' | 'reasoning' | 'tool';

interface Block {
  kind: BlockKind;
  index: number;
  /** Characters emitted so far: what a finished item has beyond them is still owed. */
  length: number;
  open: boolean;
  /** Arguments of a call so far. */
  text: string;
}

interface Item {
  /** Message content by `content_index`; reasoning and calls have one block. */
  blocks: Array<Block | undefined>;
  done: boolean;
  /** Reasoning: the part under way, to tell when a blank line is due. */
  part: string;
}

export class ItemReader {
  readonly #emit: Emit;
  readonly #newId: () => string;
  /** By output index; servers that give none get the next one. */
  readonly #items: Array<Item | undefined> = [];
  readonly #byId = new Map<string, number>();
  #nextBlock = 0;
  sawCall = false;

  constructor(emit: Emit, newId: () => string) {
    this.#emit = emit;
    this.#newId = newId;
  }

  event(type: string, body: JsonObject): void {
    switch (type) {
      case 'response.output_text.delta':
        this.#contentDelta('text', body);
        return;
      case 'response.function_call_arguments.delta':
        this.#argumentsDelta(body);
        return;
      case 'response.reasoning_summary_text.delta':
        this.#reasoningDelta(body, `s${asNumber(body.summary_index) ?? 0}`);
        return;
      case 'response.reasoning_text.delta':
        this.#reasoningDelta(body, `c${asNumber(body.content_index) ?? 0}`);
        return;
      case 'response.refusal.delta':
        this.#contentDelta('refusal', body);
        return;
      case 'response.output_item.added': {
        const wire = asObject(body.item);
        if (wire) this.#added(wire, this.#indexOf(body, wire));
        return;
      }
      case 'response.output_item.done': {
        const wire = asObject(body.item);
        if (wire) this.whole(wire, this.#indexOf(body, wire));
        return;
      }
      case 'response.output_text.done':
        this.#contentDone('text', body, body.text);
        return;
      case 'response.refusal.done':
        this.#contentDone('refusal', body, body.refusal);
        return;
      case 'response.function_call_arguments.done':
        this.#settle(this.#items[this.#indexOf(body, undefined)]?.blocks[0], asString(body.arguments) ?? '');
        return;
      default:
        // Searches, annotations, images under way: nothing a foreign client could be told.
        return;
    }
  }

  /** A finished item: emits what its events left out, then ends its blocks. Known and finished ones are left alone. */
  whole(wire: JsonObject, position: number): void {
    const outputIndex = this.#byId.get(asText(wire.id) ?? '') ?? position;
    const known = this.#items[outputIndex];
    if (known?.done) return;
    const item = known ?? this.#added(wire, outputIndex);
    if (!item) return;
    item.done = true;
    switch (wire.type) {
      case 'message':
        this.#wholeMessage(item, wire);
        return;
      case 'reasoning':
        this.#wholeReasoning(item, wire);
        return;
      case 'function_call':
        this.#settle(item.blocks[0], asString(wire.arguments) ?? '');
        return;
      case 'custom_tool_call':
        // Free text has no JSON arguments: it is told as the one parameter it is.
        this.#settle(item.blocks[0], JSON.stringify({ input: asString(wire.input) ?? '' }));
        return;
    }
  }

  /**
   * Ends what is open. `cut`: the answer did not end by itself; then a call whose arguments are not whole stays open,
   * since ended it would look like one that a client may carry out.
   */
  closeAll(cut: boolean): void {
    for (const item of this.#items) {
      for (const block of item?.blocks ?? []) {
        if (cut && block?.kind === 'tool' && !parseObject(block.text)) continue;
        this.#close(block);
      }
    }
  }

  #added(wire: JsonObject, outputIndex: number): Item | undefined {
    const known = this.#items[outputIndex];
    if (known) return known;
    const item: Item = { blocks: [], done: false, part: '' };
    switch (wire.type) {
      case 'message':
        break;
      case 'reasoning': {
        const block = this.#block('reasoning');
        item.blocks[0] = block;
        const id = asText(wire.id);
        this.#emit({ type: 'reasoning-start', index: block.index, ...(id === undefined ? {} : { id }) });
        break;
      }
      case 'function_call':
      case 'custom_tool_call': {
        const block = this.#block('tool');
        item.blocks[0] = block;
        this.sawCall = true;
        const id = asText(wire.call_id) ?? asText(wire.id) ?? `call_${this.#newId()}`;
        this.#emit({ type: 'tool-start', index: block.index, id, name: asString(wire.name) ?? '' });
        break;
      }
      default:
        return undefined;
    }
    this.#items[outputIndex] = item;
    const id = asText(wire.id);
    if (id !== undefined) this.#byId.set(id, outputIndex);
    return item;
  }

  #indexOf(body: JsonObject, wire: JsonObject | undefined): number {
    const index = asNumber(body.output_index);
    if (index !== undefined) return index;
    const id = asText(body.item_id) ?? asText(wire?.id);
    const byId = id === undefined ? undefined : this.#byId.get(id);
    if (byId !== undefined) return byId;
    // Without any pointer a delta belongs to the item under way.
    const last = this.#items.length - 1;
    return wire === undefined && this.#items[last]?.done === false ? last : last + 1;
  }

  /** Item of a delta, opened late when its `added` event never came. */
  #itemOf(body: JsonObject, type: string): Item | undefined {
    const index = this.#indexOf(body, undefined);
    return this.#items[index] ?? this.#added({ type, id: body.item_id ?? null }, index);
  }

  #contentDelta(kind: 'text' | 'refusal', body: JsonObject): void {
    const text = asString(body.delta);
    if (text === undefined || text === '') return;
    const block = this.#contentBlock(kind, body);
    if (block) this.#append(block, text);
  }

  #contentDone(kind: 'text' | 'refusal', body: JsonObject, value: Json | undefined): void {
    const text = asString(value) ?? '';
    if (text === '' && !this.#items[this.#indexOf(body, undefined)]) return;
    const block = text === '' ? undefined : this.#contentBlock(kind, body);
    this.#settle(block, text);
  }

  #contentBlock(kind: 'text' | 'refusal', body: JsonObject): Block | undefined {
    const item = this.#itemOf(body, 'message');
    if (!item) return undefined;
    return this.#messageBlock(item, asNumber(body.content_index) ?? 0, kind);
  }

  #messageBlock(item: Item, contentIndex: number, kind: 'text' | 'refusal'): Block {
    const known = item.blocks[contentIndex];
    if (known) return known;
    const block = this.#block(kind);
    item.blocks[contentIndex] = block;
    this.#emit({ type: `${kind}-start`, index: block.index });
    return block;
  }

  #argumentsDelta(body: JsonObject): void {
    const text = asString(body.delta);
    // A call that was never announced has no name yet: its finished item tells all of it.
    const block = this.#items[this.#indexOf(body, undefined)]?.blocks[0];
    if (block?.open && text) this.#append(block, text);
  }

  #reasoningDelta(body: JsonObject, part: string): void {
    const text = asString(body.delta);
    const item = text ? this.#itemOf(body, 'reasoning') : undefined;
    const block = item?.blocks[0];
    if (!item || !block || !text) return;
    if (item.part !== part && block.length > 0) this.#append(block, '\n\n');
    item.part = part;
    this.#append(block, text);
  }

  #wholeMessage(item: Item, wire: JsonObject): void {
    if (Array.isArray(wire.content)) {
      wire.content.forEach((value, index) => {
        const part = asObject(value);
        const kind = part?.type === 'refusal' ? 'refusal' : 'text';
        const text = asString(kind === 'refusal' ? part?.refusal : part?.text) ?? '';
        if (text !== '') this.#settle(this.#messageBlock(item, index, kind), text);
      });
    }
    for (const block of item.blocks) this.#close(block);
  }

  #wholeReasoning(item: Item, wire: JsonObject): void {
    const block = item.blocks[0];
    if (!block) return;
    const text = joinedSummary(wire);
    if (text.length > block.length) this.#append(block, text.slice(block.length));
    block.open = false;
    const signature = asText(wire.encrypted_content);
    this.#emit({ type: 'reasoning-end', index: block.index, ...(signature === undefined ? {} : { signature }) });
  }

  /** Emits what `text` has beyond the deltas and ends the block. */
  #settle(block: Block | undefined, text: string): void {
    if (!block?.open) return;
    if (text.length > block.length) this.#append(block, text.slice(block.length));
    this.#close(block);
  }

  #append(block: Block, text: string): void {
    block.length += text.length;
    if (block.kind === 'tool') block.text += text;
    this.#emit({ type: `${block.kind}-delta`, index: block.index, text });
  }

  #close(block: Block | undefined): void {
    if (!block?.open) return;
    block.open = false;
    this.#emit({ type: `${block.kind}-end`, index: block.index });
  }

  #block(kind: BlockKind): Block {
    return { kind, index: this.#nextBlock++, length: 0, open: true, text: '' };
  }
}
