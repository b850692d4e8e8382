// The curve of a show, drawn from the table beside it: gross sales and orders by minute, drops and cues where they were.

const plot = document.querySelector(".plot");
const rows = [...document.querySelectorAll("[data-curve] tbody tr")].map((row) => row.dataset);
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let chart = null;

function line(row, what, tone) {
  return { xAxis: row.at, name: row[what], lineStyle: { color: colour(tone), type: what === "cue" ? "dashed" : "solid", width: 1 } };
}

function draw() {
  if (!window.echarts || !plot || !rows.length) return;
  plot.classList.add("drawn");
  chart ??= window.echarts.init(plot.querySelector(".chart"), null, { renderer: "canvas" });
  const text = { color: colour("--ink-3"), fontSize: 12, fontFamily: "inherit" };
  const orders = Math.max(...rows.map((row) => Number(row.orders)));
  chart.setOption({
    animation: false,
    grid: { left: 4, right: 4, top: 24, bottom: 4, containLabel: true },
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "shadow" },
      backgroundColor: colour("--surface"),
      borderColor: colour("--line-2"),
      textStyle: { color: colour("--ink"), fontSize: 13 },
      formatter: (points) => {
        const row = rows[points[0].dataIndex];
        const box = document.createElement("div");
        const yuan = (Number(row.fen) / 100).toLocaleString("zh-CN", { minimumFractionDigits: 2 });
        const said = [`${row.at} · ¥${yuan} · ${row.orders} 单`, row.drop && `投券：${row.drop}`, row.cue && `环节：${row.cue}`];
        for (const words of said.filter(Boolean)) box.appendChild(document.createElement("div")).textContent = words;
        return box;
      },
    },
    xAxis: { type: "category", data: rows.map((row) => row.at), axisLabel: { ...text, hideOverlap: true }, axisTick: { show: false }, axisLine: { lineStyle: { color: colour("--line-2") } } },
    yAxis: [
      { type: "value", axisLabel: { ...text, formatter: (v) => (v >= 10000 ? `${v / 10000}万` : v) }, splitLine: { lineStyle: { color: colour("--line") } }, splitNumber: 3 },
      { type: "value", show: false, max: Math.max(4, orders * 2) },
    ],
    series: [
      {
        type: "bar",
        barCategoryGap: "20%",
        data: rows.map((row) => ({ value: Number(row.fen) / 100, itemStyle: { color: colour(row.drop ? "--warn" : "--accent"), opacity: row.drop ? 1 : 0.6, borderRadius: [2, 2, 0, 0] } })),
        markLine: {
          symbol: "none",
          silent: true,
          label: { show: false },
          data: rows.flatMap((row) => [...(row.drop ? [line(row, "drop", "--warn")] : []), ...(row.cue ? [line(row, "cue", "--info")] : [])]),
        },
      },
      { type: "line", yAxisIndex: 1, step: "middle", symbol: "none", lineStyle: { color: colour("--ink-3"), width: 1.5, opacity: 0.7 }, data: rows.map((row) => Number(row.orders)) },
    ],
  });
}

draw();
addEventListener("load", draw); // the chart's library may come after this module
addEventListener("resize", () => chart?.resize());
dark.addEventListener("change", draw);
