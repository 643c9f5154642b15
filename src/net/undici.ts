// The parts of undici that are used here. Its index also loads fetch, WebSocket, mocks, caches and interceptors: 0.9 MB
// of source that costs start-up time and memory (docs/performance.md).
import connect from 'undici/lib/api/api-connect.js';
import request from 'undici/lib/api/api-request.js';
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';

// What the index does for all its calls; `ProxyAgent` opens its tunnels with `connect`.
Object.assign(Dispatcher.prototype, { connect, request });

export { Agent, buildConnector, Dispatcher, Pool, ProxyAgent };
