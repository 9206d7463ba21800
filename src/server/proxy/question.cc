#include "server/proxy/question.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <utility>
#include <variant>

#include "act/task_exec.h"
#include "base/units.h"
#include "server/proxy/message_reader.h"

namespace gyre::server::proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kAnswerBytesMax = 16 * 1024;  // of an answer that are read
constexpr std::size_t kOutputMax = 1024 * 1024;     // of a command
constexpr std::size_t kTailMax = 200;               // of its output, that is shown
constexpr std::size_t kCommandShownMax = 60;

class NetworkQuestion final : public Question,
                              public std::enable_shared_from_this<NetworkQuestion> {
 public:
  NetworkQuestion(asio::io_context& context, const Probe& probe, Verdict done)
      : probe_(probe),
        socket_(context),
        timer_(context),
        answer_(MessageReader::Side::Response, kAnswerBytesMax),
        done_(std::move(done)) {}

  void ask(const tcp::endpoint& where) {
    timer_.expires_after(std::chrono::nanoseconds(probe_.timeout.ns));
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->end(Answer::Unheard, "no answer in time");
    });
    socket_.async_connect(where, [self = shared_from_this(), where](error_code error) {
      if (error) {
        const bool said = error == asio::error::connection_refused;
        return self->end(said ? Answer::Bad : Answer::Unheard, error.message());
      }
      if (self->probe_.kind != Probe::Kind::Http) return self->end(Answer::Good, "");
      self->send(where);
    });
  }

  void give_up() override {
    done_ = nullptr;
    close();
  }

 private:
  void end(Answer answer, const std::string& detail) {
    close();
    if (done_) std::exchange(done_, nullptr)(answer, detail);
  }

  void close() {
    error_code ignored;
    timer_.cancel(ignored);
    socket_.close(ignored);
  }

  void send(const tcp::endpoint& where) {
    text_ = fmt::format(
        "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: gyre-probe\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n",
        probe_.path, where.address().to_string(), where.port());
    asio::async_write(socket_, asio::buffer(text_),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        error ? self->end(Answer::Bad, error.message()) : self->read();
                      });
  }

  void read() {
    socket_.async_read_some(
        asio::buffer(chunk_), [self = shared_from_this()](error_code error, std::size_t size) {
          if (error) return self->end(Answer::Bad, "it closed the connection");
          self->input_.append(self->chunk_.data(), size);
          if (!self->answer_.feed(self->input_)) {
            return self->end(Answer::Bad, self->answer_.error());
          }
          if (!self->answer_.has_head()) return self->read();
          const int status = self->answer_.head().status;
          const bool good = status >= 200 && status < 400;
          self->end(good ? Answer::Good : Answer::Bad, fmt::format("status {}", status));
        });
  }

  const Probe probe_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  MessageReader answer_;
  std::string text_;
  std::string input_;
  std::array<char, 2048> chunk_;
  Verdict done_;
};

/// One line of what bytes say: what does not show is a blank.
std::string one_line(std::string_view bytes) {
  std::string line;
  for (const char byte : bytes) {
    const bool shows = static_cast<unsigned char>(byte) > 0x20 && byte != 0x7f;
    if (shows) {
      line += byte;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

class CommandQuestion final : public Question,
                              public std::enable_shared_from_this<CommandQuestion> {
 public:
  CommandQuestion(Loop& loop, const Probe& probe, Verdict done)
      : loop_(loop), probe_(probe), timer_(loop.context), done_(std::move(done)) {}

  void ask(const Endpoint& replica) {
    timer_.expires_after(std::chrono::nanoseconds(probe_.timeout.ns));
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->end(Answer::Unheard, self->with_output("it did not end in time"));
    });
    act::ExecStart start;
    start.key = {replica.key.job, replica.key.attempt, 0};
    start.command = probe_.command;
    const auto id = loop_.ports.start_exec(
        replica.node, std::move(start),
        [weak = weak_from_this(), &context = loop_.context](act::ExecReport report) {
          asio::post(context, [weak, report = std::move(report)] {
            if (const auto self = weak.lock()) self->hear(report);
          });
        });
    if (id) {
      command_ = *id;
    } else {  // not before whoever asks has it
      asio::post(loop_.context,
                 [self = shared_from_this(), error = id.error()] { self->end_by(error); });
    }
  }

  void give_up() override {
    done_ = nullptr;
    close();
  }

 private:
  void hear(const act::ExecReport& report) {
    if (!done_) return;
    if (const auto* output = std::get_if<act::ExecOutput>(&report)) return take(output->bytes);
    const auto* ended = std::get_if<act::ExecEnded>(&report);
    if (ended == nullptr) return;
    command_.reset();
    if (!ended->exit_code) return end_by(ended->exit_code.error());
    if (*ended->exit_code == 0) return end(Answer::Good, "");
    end(Answer::Bad, with_output(fmt::format("exit code {}", *ended->exit_code)));
  }

  void take(const std::string& bytes) {
    written_ += bytes.size();
    tail_ += bytes;
    if (tail_.size() > kTailMax) tail_.erase(0, tail_.size() - kTailMax);
    if (written_ > kOutputMax) {
      return end(Answer::Bad, with_output("it wrote more than 1 MiB, and was ended"));
    }
    loop_.ports.tell_exec(act::ExecWant{*command_, bytes.size()});
  }

  std::string with_output(const std::string& what) const {
    const std::string output = one_line(tail_);
    return output.empty() ? what : fmt::format("{}: {}", what, output);
  }

  /// It did not run, or what became of it is not known.
  void end_by(const Error& error) {
    const bool here = error.kind == ErrorKind::NotFound || error.kind == ErrorKind::Conflict ||
                      error.kind == ErrorKind::Invalid;
    const bool never = error.kind == ErrorKind::Unsupported;
    end(here ? Answer::Bad : never ? Answer::Unable : Answer::Unasked, error.message);
  }

  void end(Answer answer, const std::string& detail) {
    close();
    if (done_) std::exchange(done_, nullptr)(answer, detail);
  }

  /// What still runs is ended, with all that is below it.
  void close() {
    error_code ignored;
    timer_.cancel(ignored);
    if (command_) loop_.ports.tell_exec(act::ExecHangUp{*command_});
    command_.reset();
  }

  Loop& loop_;
  const Probe probe_;
  asio::steady_timer timer_;
  std::optional<std::uint64_t> command_;  // as long as it runs
  std::size_t written_ = 0;
  std::string tail_;
  Verdict done_;
};

std::string command_text(const std::vector<std::string>& command) {
  const bool shell = command.size() == 3 && command[0] == "/bin/sh" && command[1] == "-c";
  std::string text = one_line(shell ? command[2] : fmt::format("{}", fmt::join(command, " ")));
  if (text.size() > kCommandShownMax) text = text.substr(0, kCommandShownMax) + "...";
  return text;
}

}  // namespace

std::shared_ptr<Question> ask_network(Loop& loop, const Probe& probe, const tcp::endpoint& where,
                                      Verdict done) {
  const auto question = std::make_shared<NetworkQuestion>(loop.context, probe, std::move(done));
  question->ask(where);
  return question;
}

std::shared_ptr<Question> ask_command(Loop& loop, const Probe& probe, const Endpoint& replica,
                                      Verdict done) {
  const auto question = std::make_shared<CommandQuestion>(loop, probe, std::move(done));
  question->ask(replica);
  return question;
}

std::string question_text(const Probe& probe) {
  switch (probe.kind) {
    case Probe::Kind::Tcp:
      return "connecting";
    case Probe::Kind::Http:
      return fmt::format("GET {}", probe.path);
    case Probe::Kind::Log:
      return fmt::format("'{}' in its log", probe.pattern);
    case Probe::Kind::Exec:
      return fmt::format("`{}`", command_text(probe.command));
    case Probe::Kind::Heartbeat:
      return probe.pattern.empty() ? fmt::format("a line every {}", format_duration(probe.interval))
                                   : fmt::format("a line with '{}' every {}", probe.pattern,
                                                 format_duration(probe.interval));
  }
  return "";
}

}  // namespace gyre::server::proxy
