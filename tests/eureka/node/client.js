// A service of Node.js with eureka-js-client, for tests; tests/eureka/clients.py starts it.
// Serves HTTP like the clients of the other languages: /view shows what this client sees, everything else says
// hello.
'use strict';

const http = require('http');
const { Eureka } = require('eureka-js-client');

const options = Object.fromEntries(process.argv.slice(2).map((argument) => {
  const [name, ...value] = argument.replace(/^--/, '').split('=');
  return [name, value.join('=')];
}));

let client = null;

// By vip address: the client's list by app goes wrong with deltas, since 4.5.0 replaces and removes the first
// instance of an app whichever is meant (`splice(cache.vip[...], 1)` in modifyInstance and deleteInstance).
function view() {
  let text = '';
  for (const instances of Object.values(client.cache.vip)) {
    for (const instance of instances) {
      text += `${instance.app} ${instance.instanceId} ${instance.status} ${instance.hostName}:${instance.port.$}\n`;
    }
  }
  return text;
}

const server = http.createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.setHeader('Content-Type', 'text/plain');
    response.end(request.url === '/view' ? view() : `hello from node:${server.address().port}\n`);
  });
});

server.listen(Number(options.port || 0), '127.0.0.1', () => {
  const { port } = server.address();
  client = new Eureka({
    logger: { debug() {}, info() {}, warn: console.error, error: console.error },
    shouldUseDelta: options.delta !== 'false',
    instance: {
      app: options.app,
      instanceId: `node:${port}`,
      hostName: '127.0.0.1',
      ipAddr: '127.0.0.1',
      port: { $: port, '@enabled': true },
      vipAddress: options.app,
      dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
      leaseInfo: { renewalIntervalInSecs: Number(options.renew || 1), durationInSecs: Number(options.lease || 3) },
    },
    eureka: {
      serviceUrls: { default: options.registry.split(',').map((url) => `${url.replace(/\/$/, '')}/apps/`) },
      heartbeatInterval: 1000 * Number(options.renew || 1),
      registryFetchInterval: 1000 * Number(options.fetch || 1),
      filterUpInstances: false,
      maxRetries: 3,
      requestRetryDelay: 100,
    },
  });
  client.start((error) => {
    if (error) {
      console.error(error);
      process.exit(1);
    }
    console.log(`listening ${port}`);
  });
});

function stop() {
  client.stop(() => process.exit(0));
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
