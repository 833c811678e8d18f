// SPDX-License-Identifier: Apache-2.0
// Specifications of the Container Device Interface (cncf-tags/container-device-interface, SPEC.md, versions 0.3 to 1.0).
import { z } from "zod";
import { EnrootError } from "../../errors.ts";

const text = z.string().refine((value) => !/\p{Cc}/u.test(value), "has control characters");
const path = text.refine((value) => value.startsWith("/"), "is no absolute path");
const variable = text.refine((value) => /^[A-Za-z_]\w*=/.test(value), "is no NAME=VALUE");

const edits = z.object({
  env: z.array(variable).nullish(),
  deviceNodes: z.array(z.object({ path, hostPath: path.nullish() })).nullish(),
  mounts: z
    .array(
      z.object({
        hostPath: text,
        containerPath: path,
        options: z.array(text).nullish(),
        type: text.nullish(),
      }),
    )
    .nullish(),
  hooks: z
    .array(
      z.object({
        hookName: text,
        path,
        args: z.array(z.string()).nullish(),
        env: z.array(z.string()).nullish(),
        timeout: z.number().int().positive().nullish(),
      }),
    )
    .nullish(),
});

const schema = z.object({
  cdiVersion: z.string(),
  kind: z.string().regex(/^[A-Za-z0-9][\w.-]*\/[A-Za-z][\w.-]*$/),
  devices: z.array(z.object({ name: z.string().regex(/^[A-Za-z0-9][\w.:-]*$/), containerEdits: edits })),
  containerEdits: edits.nullish(),
});

/** What a device, or all devices of a specification, change about a container. */
export type ContainerEdits = z.infer<typeof edits>;

/** A specification of one kind of devices. */
export interface Specification {
  /** `VENDOR/CLASS`. */
  readonly kind: string;
  readonly devices: ReadonlyMap<string, ContainerEdits>;
  /** What goes with any of them. */
  readonly common: ContainerEdits;
}

/**
 * Parses a specification.
 * @param file its name, for messages and for how it is written: JSON, or YAML
 * @throws EnrootError Corrupt
 */
export function parseSpecification(source: string, file: string): Specification {
  const parsed = schema.safeParse(parseData(source, file));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") || "it";
    throw new EnrootError("Corrupt", `Invalid CDI specification ${file}: ${where}: ${issue?.message}`);
  }
  const { kind, devices, containerEdits } = parsed.data;
  const named = new Map(devices.map(({ name, containerEdits: own }) => [name, own]));
  if (named.size !== devices.length)
    throw new EnrootError("Corrupt", `Invalid CDI specification ${file}: a device stands there twice`);
  return { kind, devices: named, common: containerEdits ?? {} };
}

function parseData(source: string, file: string): unknown {
  try {
    return file.endsWith(".json") ? JSON.parse(source) : Bun.YAML.parse(source);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split("\n")[0] : "not readable";
    throw new EnrootError("Corrupt", `Invalid CDI specification ${file}: ${why}`, { cause });
  }
}
