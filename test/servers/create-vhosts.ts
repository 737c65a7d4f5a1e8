import { randomBytes } from 'node:crypto';

/**
 * Makes empty vhosts that the URL's user may use, and answers their URLs. One call of the tool for all: it starts an Erlang
 * system, which takes 1 to 3 s, most of it of the processor.
 */
export async function createVhosts(
  url: string,
  rabbitmqctl: (...args: string[]) => Promise<string>,
  count: number,
): Promise<readonly string[]> {
  const names = Array.from({ length: count }, () => `signalbox-${randomBytes(6).toString('hex')}`);
  const user = decodeURIComponent(new URL(url).username);
  await rabbitmqctl(
    'eval',
    `[begin
       rabbit_vhost:add(Name, <<"signalbox">>),
       ok = rabbit_auth_backend_internal:set_permissions(
         <<"${user}">>, Name, <<".*">>, <<".*">>, <<".*">>, <<"signalbox">>)
     end || Name <- [${names.map((name) => `<<"${name}">>`).join(', ')}]].`,
  );
  return names.map((name) => new URL(`/${name}`, url).href);
}
