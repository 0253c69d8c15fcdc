// What a page does by itself.
