// Rows of cells as CSV. Pure.
"use strict";

// RFC 4180: cells with commas, quotes or line ends in quotes, which are doubled within.
export function writeCsv(rows) {
  const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : cell);
  return rows.map((row) => `${row.map(quote).join(",")}\r\n`).join("");
}
