/** A chart as an SVG picture in the page: drawn by ECharts without a browser, the same bytes for the same data. */
import { LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent } from 'echarts/components';
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { html, trusted, type Html } from './html.js';

use([LineChart, ScatterChart, GridComponent, MarkLineComponent, SVGRenderer]);

export interface Chart {
  /** Unique in the page. */
  readonly id: string;
  /** What the picture shows, for those who cannot see it. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly option: EChartsCoreOption;
}

export function drawn({ id, description, width, height, option }: Chart): Html {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption({ animation: false, textStyle: { fontFamily: 'system-ui, sans-serif' }, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return html`<svg
    role="img"
    aria-label="${description}"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
  >
    ${trusted(inPage(svg, id))}
  </svg>`;
}

/**
 * What lies inside the <svg>, fit for a page: rules and marks for the mouse go, since nothing here reacts to it; ids count up through
 * all charts of the process, so they are numbered anew within the chart.
 */
function inPage(svg: string, id: string): string {
  const ids = new Map<string, string>();
  const renumbered = (own: string) => {
    if (!ids.has(own)) ids.set(own, `${id}-${ids.size}`);
    return ids.get(own)!;
  };
  return svg
    .replace(/^<svg[^>]*>/, '')
    .replace(/<\/svg>\s*$/, '')
    .replace(/<style[^>]*>[^]*?<\/style>/g, '')
    .replace(/ (class|ecmeta_\w+)="[^"]*"/g, '')
    .replace(/\bzr\d+-[\w-]+/g, renumbered)
    .replace(/\n\s*/g, '\n')
    .trim();
}
