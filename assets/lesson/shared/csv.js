// Rows of cells as CSV, by RFC 4180.

export function writeCsv(rows) {
  const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : cell);
  return rows.map((row) => `${row.map(quote).join(",")}\r\n`).join("");
}
