//! From the state to the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, TableState, Wrap};

use crate::client;
use crate::state::{Related, State};
use crate::value::shown;

/// A column is never wider.
const WIDEST: usize = 40;
const KEYS: &str = "Tab table  ↑↓ row  <> sort  r reverse  s unsorted  Enter details  d from now  t totals  p pause  q quit";

pub(crate) fn screen(frame: &mut Frame<'_>, state: &mut State) {
    let details = Constraint::Percentage(if state.detail { 55 } else { 0 });
    let [top, tabs, body, details, foot] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(2),
        Constraint::Min(4),
        details,
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(head(state)), top);
    frame.render_widget(Paragraph::new(names(state)).wrap(Wrap { trim: true }), tabs);
    rows(frame, body, state);
    if state.detail {
        let block = Block::bordered().title("details");
        let text = detail(state);
        let last = text.lines.len().saturating_sub(1) as u16;
        let scrolled = state.scrolled.min(last);
        let text = Paragraph::new(text).wrap(Wrap { trim: false });
        frame.render_widget(text.block(block).scroll((scrolled, 0)), details);
        state.scrolled = scrolled;
    }
    let foot_text = match &state.trouble {
        Some(trouble) => Line::from(format!("not of now: {trouble}")).fg(Color::Red),
        None if state.paused => Line::from("paused; p goes on").fg(Color::Yellow),
        None => Line::from(KEYS).add_modifier(Modifier::DIM),
    };
    frame.render_widget(Paragraph::new(foot_text), foot);
}

/// The scheduler as a whole, and what does not go on.
fn head(state: &State) -> Text<'_> {
    let mut text = system(state);
    if let Some(alarm) = &state.alarm {
        let line = Line::from(&*alarm.text);
        text.push_line(if alarm.is_loud {
            line.fg(Color::Red)
        } else {
            line.add_modifier(Modifier::DIM)
        });
    }
    text
}

fn system(state: &State) -> Text<'_> {
    let Some(Related { table, row }) = &state.system else {
        return Text::from("fiberhost-top");
    };
    let value = |name: &str| {
        let place = state.tables[*table].place(name);
        place.map_or_else(|| "?".to_owned(), |place| shown(&row[place]))
    };
    let seconds = value("uptime_ms").parse::<f64>().unwrap_or(0.0) / 1e3;
    Text::from(vec![
        Line::from(format!(
            "{}  process {}  up {seconds:.0} s  {} slots, {} idle  {} threads  {} processors",
            value("name"),
            value("process_id"),
            value("scheduler_count"),
            value("idle_workers_count"),
            value("threads_count"),
            value("cpu_count"),
        ))
        .bold(),
        Line::from(format!(
            "tasks {}: {} pending, {} runnable, {} running, {} suspended  spawned {}  ended {}  look {} ms",
            value("tasks_count"),
            value("pending_tasks_count"),
            value("runnable_tasks_count"),
            value("running_tasks_count"),
            value("suspended_tasks_count"),
            value("tasks_spawned_count"),
            value("tasks_ended_count"),
            value("snapshot_time_ms"),
        )),
    ])
}

/// The names of the tables, with the shown one marked.
fn names(state: &State) -> Line<'_> {
    let mut spans = Vec::new();
    for (place, table) in state.tables.iter().enumerate() {
        let style = if place == state.shown {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        };
        spans.push(Span::styled(format!("{}:{}", place + 1, table.name), style));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

fn rows(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let table = state.table();
    let count = state.rows.len();
    let is = if count == 1 { "row" } else { "rows" };
    let order = state.sorting.as_ref().map_or(String::new(), |sorting| {
        let name = &table.columns[sorting.column].name;
        let way = if sorting.descending { "down" } else { "up" };
        format!(", by {name} {way}")
    });
    let since = state.since.map_or(String::new(), |since| {
        format!(", counted for {} s", since.elapsed().as_secs())
    });
    let title = format!("{}: {count} {is}{order}{since}", table.name);
    let block = Block::bordered().title(title);
    let inner = block.inner(area);
    // Two lines of names. Only what can be seen is made.
    let height = usize::from(inner.height.saturating_sub(2)).max(1);
    let top = (state.marked + 1).saturating_sub(height);
    let seen = &state.rows[top.min(count)..(top + height).min(count)];

    let places = columns(state, seen, usize::from(inner.width));
    let heads = places.iter().map(|&(place, _)| {
        let sorted = state.sorting.as_ref().is_some_and(|it| it.column == place);
        let style = if sorted {
            Style::new().fg(Color::Cyan).bold()
        } else {
            Style::new().bold()
        };
        Cell::new(folded(&table.columns[place].name).join("\n")).style(style)
    });
    let head = Row::new(heads).height(2);
    let lines = seen.iter().map(|row| {
        let cells = places.iter().map(|&(place, width)| {
            let text = shown(&row[place]);
            if row[place].is_number() {
                // To the right, so that digits stand below each other.
                Cell::new(format!("{text:>width$}"))
            } else {
                Cell::new(text)
            }
        });
        Row::new(cells)
    });
    let widths = places
        .iter()
        .map(|&(_, width)| Constraint::Length(width as u16));
    let widget = Table::new(lines, widths)
        .header(head)
        .column_spacing(1)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(block);
    let mut mark = TableState::new().with_selected((count > 0).then(|| state.marked - top));
    frame.render_stateful_widget(widget, area, &mut mark);
}

/// Which columns are shown, and how wide: the first always, then as many as there is room for; those by which is sorted are
/// among them. Columns in which nothing stands are left out.
fn columns(state: &State, seen: &[client::Row], width: usize) -> Vec<(usize, usize)> {
    let table = state.table();
    let sorted = state.sorting.as_ref().map(|sorting| sorting.column);
    let wide = |place: usize| {
        let cells = seen.iter().map(|row| shown(&row[place]).chars().count());
        let name = folded(&table.columns[place].name);
        let name = name.iter().map(|part| part.len()).max().unwrap_or(0);
        cells.max().unwrap_or(0).max(name).min(WIDEST)
    };
    let is_shown = |place: usize| {
        let mut values = seen.iter().map(|row| &row[place]);
        sorted == Some(place) || seen.is_empty() || values.any(|value| !value.is_null())
    };
    let all = (1..table.columns.len()).filter(|&place| is_shown(place));
    let all: Vec<_> = all.map(|place| (place, wide(place))).collect();
    let room = width.saturating_sub(wide(0));
    // From the first on, unless the one that must be seen is beyond what fits then.
    let mut from = 0;
    loop {
        let mut left = room;
        let fits = all[from..].iter().take_while(|&&(_, width)| {
            let fits = width < left;
            left = left.saturating_sub(width + 1);
            fits
        });
        let picked: Vec<_> = fits.copied().collect();
        let is_there = |place| place == 0 || picked.iter().any(|&(it, _)| it == place);
        if from + 1 >= all.len() || sorted.is_none_or(is_there) {
            let first = std::iter::once((0, wide(0)));
            return first.chain(picked).collect();
        }
        from += 1;
    }
}

/// A name in two lines as even as its words allow.
fn folded(name: &str) -> Vec<&str> {
    let cuts = name.match_indices('_').map(|(place, _)| place + 1);
    let longer = |cut: &usize| (*cut).max(name.len() - cut);
    match cuts.min_by_key(longer) {
        Some(cut) if name.len() > 8 => vec![&name[..cut], &name[cut..]],
        _ => vec![name],
    }
}

/// The marked row with the meaning of its columns, and what else is known of its task.
fn detail(state: &State) -> Text<'_> {
    let Some(row) = state.rows.get(state.marked) else {
        return Text::from("no row is marked");
    };
    let mut lines = Vec::new();
    let own = std::iter::once((state.shown, row));
    let others = state.related.iter().map(|it| (it.table, &it.row));
    for (table, row) in own.chain(others) {
        let table = &state.tables[table];
        lines.push(Line::from(format!("{}: {}", table.name, table.meaning)).bold());
        for (column, value) in table.columns.iter().zip(row) {
            if value.is_null() {
                continue;
            }
            lines.push(Line::from(vec![
                Span::raw(format!("  {:<26} ", column.name)),
                Span::raw(format!("{:<20} ", shown(value))).fg(Color::Cyan),
                Span::raw(&*column.meaning).add_modifier(Modifier::DIM),
            ]));
        }
    }
    Text::from(lines)
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn long_names_are_folded_at_a_word() {
        assert_eq!(folded("of"), ["of"]);
        assert_eq!(folded("task_id"), ["task_id"]);
        assert_eq!(
            folded("current_workers_count"),
            ["current_", "workers_count"]
        );
        assert_eq!(folded("histogram"), ["histogram"]);
    }
}
