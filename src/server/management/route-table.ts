// Finds the route of a method and path; knows what else a path can do (405, HEAD, OPTIONS).
import type { Method, Route } from './route.ts';

interface Node {
  literal: Map<string, Node>;
  parameter?: { name: string; node: Node };
  routes: Map<Method, Route>;
}

export interface Match {
  routes: ReadonlyMap<Method, Route>;
  params: Record<string, string>;
}

const newNode = (): Node => ({ literal: new Map(), routes: new Map() });

export class RouteTable {
  readonly #root = newNode();

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#add(route);
  }

  /** `path`: under the prefix, still percent-encoded. Undefined when no route has it. */
  find(path: string): Match | undefined {
    let node = this.#root;
    const params: Record<string, string> = {};
    for (const raw of path.split('/')) {
      const segment = decoded(raw);
      // A separator that arrives encoded is no separator and no name either (recordings 497, 502).
      if (segment === undefined || segment === '' || segment.includes('/')) return undefined;
      const literal = node.literal.get(segment);
      if (literal) node = literal;
      else if (node.parameter) {
        params[node.parameter.name] = segment;
        node = node.parameter.node;
      } else return undefined;
    }
    return node.routes.size > 0 ? { routes: node.routes, params } : undefined;
  }

  #add(route: Route): void {
    let node = this.#root;
    for (const segment of route.path.split('/')) {
      if (segment.startsWith(':')) {
        node.parameter ??= { name: segment.slice(1), node: newNode() };
        node = node.parameter.node;
        continue;
      }
      const next = node.literal.get(segment) ?? newNode();
      node.literal.set(segment, next);
      node = next;
    }
    if (node.routes.has(route.method)) throw new Error(`two routes for ${route.method} ${route.path}`);
    node.routes.set(route.method, route);
  }
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** Methods for `Allow`: HEAD wherever GET is, OPTIONS everywhere. */
export function allowedMethods(routes: ReadonlyMap<Method, Route>): string[] {
  const methods: string[] = [...routes.keys()];
  if (routes.has('GET')) methods.push('HEAD');
  return [...methods, 'OPTIONS'];
}
