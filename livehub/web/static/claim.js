// Shows the voucher's code anew when its thirty seconds are over; the link 刷新 does the same without scripts.
const root = document.querySelector("[data-renew-seconds]");
let timer;

function later(seconds) {
  clearTimeout(timer);
  timer = setTimeout(renew, seconds * 1000 + 200);
}

async function renew() {
  if (document.hidden) return; // a phone in the pocket asks again when it is looked at
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const old = root.querySelector("[data-code]");
    const now = fresh.querySelector(`[data-code="${old.dataset.code}"]`);
    if (!now) return location.reload(); // it was used meanwhile, or the phone was forgotten
    old.innerHTML = now.innerHTML;
    later(Number(fresh.querySelector("[data-renew-seconds]").dataset.renewSeconds));
  } catch {
    later(3);
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) renew();
});
later(Number(root.dataset.renewSeconds));
