export { describeOwnServers, describeServers } from './describe-servers.js';
export type { Server, ServerControl, StartOptions } from './server.js';
export { familyOf, type ServerFamily, type ServerName, wantedServers } from './server-name.js';
export { type RabbitCluster, startRabbitCluster } from './start-rabbit-cluster.js';
export { sharedServer, startServer } from './start-server.js';
export { type TcpProxy, tcpProxy } from './tcp-proxy.js';
