// SPDX-License-Identifier: Apache-2.0
import { BlockList, isIP } from "node:net";

const inner = new BlockList();
inner.addSubnet("169.254.0.0", 16, "ipv4");
inner.addSubnet("fe80::", 10, "ipv6");
// Where clouds keep their metadata services beside the link-local ones: AWS, Azure, Alibaba.
inner.addAddress("fd00:ec2::254", "ipv6");
inner.addAddress("168.63.129.16", "ipv4");
inner.addAddress("100.100.100.200", "ipv4");

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** Whether a URL's host name is an address. */
export function isAddress(hostname: string): boolean {
  return isIP(bare(hostname)) !== 0;
}

/** Whether a URL's host name means this machine's own link or its cloud's metadata service, which no registry is on. */
export function isInternal(hostname: string): boolean {
  const address = bare(hostname);
  if (isIP(address) === 0) return /^metadata\./i.test(hostname);
  return inner.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}
