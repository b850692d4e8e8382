// The big screen: figures in place as they change, and the chart drawn from the table beside it.
import { follow } from "./live.js";

const root = document.querySelector("[data-stream]");
const plot = document.querySelector(".plot");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let chart = null;

function rows() {
  return [...document.querySelectorAll("[data-live='curve'] tbody tr")].map((row) => ({
    at: row.dataset.at,
    yuan: Number(row.dataset.fen) / 100,
    orders: Number(row.dataset.orders),
    drop: row.dataset.drop || "",
  }));
}

function draw() {
  if (!window.echarts || !plot) return;
  const data = rows();
  plot.classList.toggle("drawn", data.length > 0);
  if (!data.length) return;
  chart ??= window.echarts.init(plot.querySelector(".chart"), null, { renderer: "canvas" });
  const text = { color: colour("--ink-3"), fontSize: 14, fontFamily: "inherit" };
  const last = data.length - 1;
  chart.setOption({
    animationDuration: 0,
    animationDurationUpdate: 300,
    grid: { left: 8, right: 8, top: 26, bottom: 4, containLabel: true },
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "shadow" },
      backgroundColor: colour("--surface"),
      borderColor: colour("--line-2"),
      textStyle: { color: colour("--ink") },
      valueFormatter: (v) => v.toLocaleString("zh-CN", { minimumFractionDigits: 2 }),
    },
    xAxis: { type: "category", data: data.map((d) => d.at), axisLabel: text, axisTick: { show: false }, axisLine: { lineStyle: { color: colour("--line-2") } } },
    yAxis: [
      { type: "value", axisLabel: { ...text, formatter: (v) => (v >= 10000 ? `${v / 10000}万` : v) }, splitLine: { lineStyle: { color: colour("--line") } }, splitNumber: 3 },
      { type: "value", show: false },
    ],
    series: [
      {
        name: "成交额(元)",
        type: "bar",
        barCategoryGap: "22%",
        data: data.map((d, i) => ({
          value: d.yuan,
          itemStyle: { color: d.drop ? colour("--warn") : colour("--accent"), opacity: d.drop || i === last ? 1 : 0.55, borderRadius: [3, 3, 0, 0] },
        })),
        markPoint: {
          symbol: "triangle",
          symbolSize: 10,
          symbolRotate: 180,
          symbolOffset: [0, -10],
          label: { show: false },
          itemStyle: { color: colour("--warn") },
          tooltip: { formatter: (p) => p.name },
          data: data.flatMap((d, i) => (d.drop ? [{ name: d.drop, coord: [i, d.yuan] }] : [])),
        },
      },
      {
        name: "订单",
        type: "line",
        yAxisIndex: 1,
        smooth: 0.3,
        smoothMonotone: "x",
        symbol: "none",
        lineStyle: { color: colour("--info"), width: 2, opacity: 0.8 },
        itemStyle: { color: colour("--info") },
        data: data.map((d) => d.orders),
        tooltip: { valueFormatter: (v) => String(v) },
      },
    ],
  });
}

function tick() {
  const clock = document.querySelector("[data-clock]");
  const now = new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", month: "long", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  if (clock) clock.textContent = now.format(new Date());
}

draw();
tick();
setInterval(tick, 1000);
addEventListener("resize", () => chart?.resize());
const lost = document.querySelector("[data-lost]");
follow(root, { onChange: draw, onState: (up) => lost && (lost.hidden = up) });
