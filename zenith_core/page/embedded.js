// What the report's file holds itself, because it opens without a server: the words and the data. Null on a page.

export const embedded = JSON.parse(document.getElementById("embedded")?.textContent ?? "null");
