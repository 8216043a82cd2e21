//! What is printed at the end.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use super::load::Outcome;
use super::options::Options;

pub(crate) struct Report<'a> {
    pub(crate) options: &'a Options,
    pub(crate) address: SocketAddr,
    pub(crate) workers: usize,
    pub(crate) served: usize,
    pub(crate) switches: u64,
    pub(crate) result: Outcome,
}

impl Report<'_> {
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Outcome { took, latencies } = &self.result;
        let seconds = took.as_secs_f64();
        let requests = latencies.total();
        let rate = requests as f64 / seconds;
        let bytes = rate * self.options.bytes as f64 / 1e6;
        let switches = self.switches as f64 / requests.max(1) as f64;
        let time = |part| in_micros(latencies.quantile(part));
        writeln!(out, "server       {}", self.address)?;
        writeln!(out, "workers      {}", self.workers)?;
        writeln!(out, "connections  {}", self.served)?;
        writeln!(out, "message      {} bytes", self.options.bytes)?;
        writeln!(out, "time         {seconds:.3} s")?;
        writeln!(out, "requests     {requests}")?;
        writeln!(
            out,
            "rate         {rate:.0} requests/s, {bytes:.1} MB/s each way"
        )?;
        writeln!(out, "half         within {} µs", time(0.5))?;
        writeln!(out, "90 %         within {} µs", time(0.9))?;
        writeln!(out, "99 %         within {} µs", time(0.99))?;
        writeln!(out, "99.9 %       within {} µs", time(0.999))?;
        writeln!(out, "longest      {} µs", in_micros(latencies.longest()))?;
        writeln!(
            out,
            "switches     {switches:.2} of the server's for each request"
        )
    }
}

fn in_micros(time: Duration) -> String {
    format!("{:.0}", time.as_nanos() as f64 / 1e3)
}
