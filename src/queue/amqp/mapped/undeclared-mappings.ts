import type { Topology } from '../../driver.js';
import type { CatalogueContent } from '../catalogue-content.js';

/**
 * Topics that are mapped and that nobody has: neither this declaration nor another program. Most likely misspelt: the one that was meant is
 * on objects of ours then. No error, since all programs are to have the same mapping, and each has some of its topics.
 */
export function undeclaredMappings(
  mappings: Readonly<Record<string, unknown>>,
  asked: Topology,
  content: CatalogueContent,
): readonly string[] {
  return Object.keys(mappings).filter(
    (mapped) => !Object.hasOwn(content.topics, mapped) && !asked.topics.some(({ name }) => name === mapped),
  );
}
