import { expectTypeOf, test } from 'vitest';
import { type BuildId, type BuildRunner, buildId, buildIdSchema } from '../../src/buildrunner/index.js';

declare const runner: BuildRunner;

test('a bare string is no build id', () => {
  expectTypeOf<string>().not.toExtend<BuildId>();

  // @ts-expect-error a string is not a BuildId
  void runner.status('b-17');
  // @ts-expect-error a string is not a BuildId
  void runner.cancel('b-17');
  expectTypeOf(runner.status).toBeCallableWith(buildId('b-17'));
});

test('nor is anything else that has an id', () => {
  const build = { id: 'b-17', poll: 3 };
  // @ts-expect-error a record with an id is not a BuildId
  void runner.status(build);
});

test('trigger and the schema answer one', () => {
  expectTypeOf(runner.trigger).returns.resolves.toEqualTypeOf<BuildId>();
  expectTypeOf(buildIdSchema.parse({ id: 'b-17' })).toEqualTypeOf<BuildId>();
  expectTypeOf<BuildId['id']>().toEqualTypeOf<string>();
});
