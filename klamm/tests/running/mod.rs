//! A broker as a process of its own, on a free port and an empty directory, and raw connections to it.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Nothing in these tests takes longer unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Broker {
    child: Child,
    pub address: SocketAddr,
    /// What it logged until it listened.
    pub log: Vec<String>,
    /// What it logs since.
    later: mpsc::Receiver<String>,
    pub data: tempfile::TempDir,
}

impl Broker {
    pub fn start(overrides: &[&str]) -> Broker {
        let data = tempfile::tempdir().expect("a temporary directory");
        Broker::start_in(data, overrides)
    }

    pub fn start_in(data: tempfile::TempDir, overrides: &[&str]) -> Broker {
        Broker::start_by(Command::new(env!("CARGO_BIN_EXE_klamm")), data, overrides)
    }

    /// By a command that takes the arguments of the binary and becomes it.
    pub fn start_by(mut command: Command, data: tempfile::TempDir, overrides: &[&str]) -> Broker {
        command.env_clear().stderr(Stdio::piped());
        command.args(["--override", "listeners=PLAINTEXT://127.0.0.1:0"]);
        command
            .arg("--override")
            .arg(format!("log.dirs={}", data.path().join("data").display()));
        for one in overrides {
            command.args(["--override", one]);
        }
        let mut child = command.spawn().expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        // The log is read to its end, or the broker would stand still once the pipe is full.
        let (sender, received) = mpsc::channel();
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| drop(sender.send(line)))
        });
        let mut log = Vec::new();
        let address = loop {
            let line = received
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("it listens; it said {log:?}"));
            let address = line.split("listening on PLAINTEXT://").nth(1);
            let address = address.map(|address| address.trim().parse().expect("an address"));
            log.push(line);
            if let Some(address) = address {
                break address;
            }
        };
        Broker {
            child,
            address,
            log,
            later: received,
            data,
        }
    }

    /// The next line of the log that has this in it.
    pub fn next_line_with(&self, part: &str) -> String {
        loop {
            let line = self.later.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it logs {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the broker accepts");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket takes a timeout");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a socket takes a timeout");
        stream
    }

    /// Anonymous memory of the process, in bytes.
    pub fn anonymous_bytes(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.pid());
        let rollup = std::fs::read_to_string(path).expect("the process runs");
        let line = rollup
            .lines()
            .find(|line| line.starts_with("Anonymous:"))
            .expect("the kernel tells");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number")
            * 1024
    }

    /// Keeps the directory beyond the life of this process.
    pub fn take_data(&mut self) -> tempfile::TempDir {
        std::mem::replace(
            &mut self.data,
            tempfile::tempdir().expect("a temporary directory"),
        )
    }

    /// Asks it to stop in good order.
    pub fn terminate(&self) {
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    }

    /// Waits for its end, and gives the exit code.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }

    /// Fails unless an ordinary client is served, and quickly.
    pub fn serves(&self) {
        let mut stream = self.connect();
        stream.write_all(&api_versions(7)).expect("the broker reads");
        assert_eq!(correlation_id(&read_frame(&mut stream).expect("an answer")), 7);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A frame: the length, and what is in it.
pub fn framed(body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len()).expect("frames are short");
    [&length.to_be_bytes(), body].concat()
}

/// Key, version, correlation id and the client id "t".
pub fn header(key: i16, version: i16, correlation_id: i32) -> Vec<u8> {
    let mut header = [key.to_be_bytes(), version.to_be_bytes()].concat();
    header.extend(correlation_id.to_be_bytes());
    header.extend([0, 1, b't']);
    header
}

/// A whole ApiVersions request in version 0.
pub fn api_versions(correlation_id: i32) -> Vec<u8> {
    framed(&header(18, 0, correlation_id))
}

/// The next answer without its length; `None` when the broker closed the connection.
pub fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("no negative length")];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

pub fn correlation_id(frame: &[u8]) -> i32 {
    i32::from_be_bytes(frame[..4].try_into().expect("four bytes"))
}

/// Whether the broker closes the connection; whatever it may still say is left out.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = [0; 4096];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
