// Keeps a page's live parts up to date: each event is the same HTML the server renders, put in place piece by piece.

export function follow(root, { onChange = () => {}, onState = () => {} } = {}) {
  const source = new EventSource(root.dataset.stream);
  source.onopen = () => onState(true);
  source.onerror = () => onState(false);
  source.onmessage = (event) => {
    onState(true);
    const fresh = new DOMParser().parseFromString(event.data, "text/html");
    let changed = false;
    for (const piece of fresh.querySelectorAll("[data-live]")) {
      const old = root.querySelector(`[data-live="${piece.dataset.live}"]`);
      if (!old || old.innerHTML === piece.innerHTML) continue;
      old.innerHTML = piece.innerHTML;
      old.className = piece.className;
      if (piece.hasAttribute("href")) old.setAttribute("href", piece.getAttribute("href"));
      old.classList.remove("changed");
      void old.offsetWidth; // starts the animation anew
      old.classList.add("changed");
      changed = true;
    }
    if (changed) onChange();
  };
  return source;
}

for (const root of document.querySelectorAll("[data-stream][data-follow]")) follow(root);
