// Small helps for forms; everything works without them.

// One tap, one submission: the button rests until the answer comes (or the page is shown again).
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (form.method !== "post") return;
  form.dataset.sent = "1";
  const button = event.submitter;
  // After this turn, so that the pressed button's own name and value are still sent.
  setTimeout(() => {
    for (const each of form.querySelectorAll("button")) each.disabled = true;
    if (button?.dataset.busy) {
      button.dataset.idle = button.textContent;
      button.textContent = button.dataset.busy;
    }
  });
});

window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) {
      button.disabled = false;
      if (button.dataset.idle) button.textContent = button.dataset.idle;
    }
  }
});

// 获取验证码: counts down the seconds the server told; the server is the one that refuses.
for (const button of document.querySelectorAll("[data-wait-seconds]")) {
  const until = Date.now() + Number(button.dataset.waitSeconds) * 1000;
  const idle = button.textContent;
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${left} 秒` : idle;
    if (left > 0) setTimeout(tick, 250);
  };
  if (Number(button.dataset.waitSeconds) > 0) tick();
}

// "确定?" before what cannot be undone.
for (const button of document.querySelectorAll("button[data-confirm]")) {
  button.addEventListener("click", (event) => {
    if (!confirm(button.dataset.confirm)) event.preventDefault();
  });
}

// A select that filters a list needs no second tap.
for (const select of document.querySelectorAll("select[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// 复制
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const idle = button.textContent;
    button.textContent = "已复制";
    setTimeout(() => (button.textContent = idle), 1500);
  });
}

// A page made for paper offers to be printed; without scripts the browser's own menu does.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
