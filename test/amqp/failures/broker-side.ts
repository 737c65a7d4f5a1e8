import { setTimeout as pause } from 'node:timers/promises';
import { type Channel, type ChannelModel, connect, type GetMessage } from 'amqplib';
import type { Server } from '../../servers/index.js';

/** A vhost, seen and changed from the broker's side: by its own tool, and by plain amqplib. Closed at the end of the block. */
export class BrokerSide implements AsyncDisposable {
  readonly #vhost: string;
  readonly #ctl: NonNullable<Server['rabbitmqctl']>;
  readonly #url: string;
  #connection: ChannelModel | null = null;

  constructor(server: Server, url: string) {
    if (server.rabbitmqctl === null) throw new Error(`${server.name}: rabbitmqctl cannot be run`);
    this.#ctl = server.rabbitmqctl;
    this.#url = url;
    this.#vhost = decodeURIComponent(new URL(url).pathname.slice(1)) || '/';
  }

  /** `rabbitmqctl`, on this vhost where `args` says so with `{vhost}`. */
  ctl(...args: string[]): Promise<string> {
    return this.#ctl(...args.map((arg) => (arg === '{vhost}' ? this.#vhost : arg)));
  }

  /** The names of all queues, in order. */
  async queues(): Promise<readonly string[]> {
    const text = await this.#ctl('list_queues', '-p', this.#vhost, 'name', '--formatter', 'json');
    return (JSON.parse(text) as { name: string }[]).map(({ name }) => name).sort();
  }

  /** How many messages of a queue nobody has in hand. */
  async ready(queue: string): Promise<number> {
    return this.withChannel(async (channel) => (await channel.checkQueue(queue)).messageCount);
  }

  /** How many consumers a queue has. */
  async consumers(queue: string): Promise<number> {
    return this.withChannel(async (channel) => (await channel.checkQueue(queue)).consumerCount);
  }

  /** Resolves when a quorum queue has so many messages, in hand or not; rejects when it still has another number after a while. */
  async has(queue: string, expected: number): Promise<void> {
    // Each look costs a second of the processor.
    for (let looks = 1; ; looks++) {
      const count = await this.count(queue);
      if (count === expected) return;
      if (looks === 15) throw new Error(`"${queue}" has ${count} messages, not ${expected}`);
      await pause(looks * 100);
    }
  }

  /** How many messages a quorum queue has, in hand or not. `list_queues` is seconds late, a declaration counts what is ready alone. */
  async count(queue: string): Promise<number> {
    // Newer ones take no function, older ones nothing else.
    const total = await this.#eval(
      `begin Queue = ${this.#processOf(queue)}, {ok, {_, Total}, _} =
        try ra:leader_query(Queue, fun rabbit_fifo:query_messages_total/1)
        catch error:function_clause -> ra:leader_query(Queue, {rabbit_fifo, query_messages_total, []}) end,
      Total end`,
    );
    return Number(total);
  }

  /** Makes the broker close channels of a driver with 406, as it does when a client breaks the rules: all that publish, or all that consume. */
  async closeChannels(which: 'publishing' | 'consuming', connectionName: string): Promise<void> {
    const filter = which === 'publishing' ? 'Confirms' : 'Consumers > 0';
    await this.#eval(
      `begin Ours = ${connectionsOf(connectionName)},
        [gen_server:cast(Pid, {method, {'basic.ack', 4000000000, false}, none, noflow}) ||
          [{pid, Pid}, {connection, Of}, {confirm, Confirms}, {consumer_count, Consumers}]
            <- rabbit_channel:info_all([pid, connection, confirm, consumer_count]), lists:member(Of, Ours), ${filter}] end`,
    );
  }

  /** The connections of a driver, as an operator closes them. */
  async closeConnections(connectionName: string): Promise<void> {
    await this.#eval(
      `[rabbit_networking:close_connection(Pid, "for the test") || Pid <- ${connectionsOf(connectionName)}]`,
    );
  }

  /** The process of a queue does nothing until it is woken: it confirms nothing, and says nothing. */
  async suspend(queue: string): Promise<void> {
    await this.#eval(`ok = sys:suspend(${this.#processOf(queue)})`);
  }

  async wake(queue: string): Promise<void> {
    await this.#eval(`ok = sys:resume(${this.#processOf(queue)})`);
  }

  /** Runs `work` on a channel of plain amqplib. */
  async withChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    this.#connection ??= await connect(this.#url);
    this.#connection.on('error', () => {});
    const channel = await this.#connection.createChannel();
    channel.on('error', () => {});
    try {
      return await work(channel);
    } finally {
      await channel.close().catch(() => {});
    }
  }

  /** The messages of a queue as they lie there; they are put back. */
  async peek(queue: string): Promise<readonly GetMessage[]> {
    return this.withChannel(async (channel) => {
      const messages: GetMessage[] = [];
      for (;;) {
        const message = await channel.get(queue);
        if (message === false) return messages;
        messages.push(message);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.close().catch(() => {});
  }

  async #eval(erlang: string): Promise<string> {
    return this.#ctl('eval', `${erlang}.`);
  }

  /** Of a quorum queue: a Ra server, whose name the queue's record holds. */
  #processOf(queue: string): string {
    return `begin {ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"${this.#vhost}">>, queue, <<"${queue}">>)), amqqueue:get_pid(Q) end`;
  }
}

/** Erlang for the processes of the connections of a driver. */
function connectionsOf(connectionName: string): string {
  return `[Pid || [{pid, Pid}, {client_properties, Properties}]
    <- rabbit_networking:connection_info_all([pid, client_properties]),
    is_list(Properties), {<<"connection_name">>, _, <<"${connectionName} ", _/binary>>} <- Properties]`;
}
