/**
 * Whether a runner says that it does not know a build. By its code, not its class: a runner may come from a
 * package that brings a copy of signalbox of its own.
 */
export function isBuildUnknown(error: unknown): boolean {
  return error instanceof Error && (error as { readonly code?: unknown }).code === 'build-unknown';
}
