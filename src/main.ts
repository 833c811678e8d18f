// SPDX-License-Identifier: Apache-2.0
console.log("5.0.0");
