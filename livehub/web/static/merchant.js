// Scans the customer's QR code where the browser can; typing the code works everywhere.
const form = document.querySelector("form[action='/m/redeem']");
const code = form.querySelector("#code");
const button = form.querySelector("[data-scan]");
const video = form.querySelector("[data-camera]");
const typed = form.querySelector("[data-typed]");
let stream;

function shape() {
  typed.hidden = code.value.trim().startsWith("v1."); // a scanned code needs no phone digits
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  video.hidden = true;
  button.textContent = "扫码";
}

async function look(detector) {
  while (stream) {
    const found = await detector.detect(video).catch(() => []);
    if (found.length && stream) {
      code.value = found[0].rawValue;
      shape();
      stop();
      form.querySelector("#amount").focus();
      return;
    }
    await new Promise((next) => setTimeout(next, 120));
  }
}

async function scan() {
  if (stream) return stop();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    button.hidden = true; // no camera, or not allowed: the field is there
    code.focus();
    return;
  }
  video.srcObject = stream;
  video.hidden = false;
  button.textContent = "停止";
  await video.play();
  await look(new BarcodeDetector({ formats: ["qr_code"] }));
}

code.addEventListener("input", shape);
shape();
if ("BarcodeDetector" in window && navigator.mediaDevices) {
  button.hidden = false;
  button.addEventListener("click", scan);
}
