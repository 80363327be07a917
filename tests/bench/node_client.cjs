// The official Node SDK's long connection, its events printed as JSON lines: node node_client.cjs http://127.0.0.1:8100
// NODE_PATH names the node_modules of a folder in which `npm install @larksuiteoapi/node-sdk` was run.
const lark = require('@larksuiteoapi/node-sdk')

const client = new lark.WSClient({
  appId: 'cli_a5ca1ab1e0ddba11',
  appSecret: 'demo-secret',
  domain: process.argv[2],
  loggerLevel: lark.LoggerLevel.error
})
client.start({
  eventDispatcher: new lark.EventDispatcher({}).register({
    'helpdesk.ticket_message.created_v1': async (data) => console.log(JSON.stringify(data))
  })
})
