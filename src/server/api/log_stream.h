#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "act/task_logs.h"
#include "live/inbox.h"
#include "server/api/event_feed.h"
#include "server/api/question.h"
#include "server/http/message.h"

namespace gyre::server {

/// Where a reader of a log stands: in which attempt's log, and how many bytes of it he has.
struct LogPosition {
  std::int32_t attempt = 0;
  std::uint64_t offset = 0;
  bool operator==(const LogPosition&) const = default;
};

std::string to_string(LogPosition position);  // "1.4096"
std::optional<LogPosition> parse_log_position(std::string_view text);

/// Reads a piece of a log wherever it is kept; the answer may come later, on any thread.
using LogReader = std::function<void(const act::LogQuery&, live::Done<act::LogChunk>)>;

/// Follows one task's log through its attempts to the job's end. Each is one more than the one
/// before it, but where others of the gang are started anew by themselves: then some are left out.
/// Each piece is an event "log" with {"attempt","offset","text"}, or "base64" in the place of
/// "text" where the bytes are no UTF-8; its id is the position after it. In the place of what is no
/// longer kept there is an event "dropped" with {"attempt","offset","bytes"}. The last event is
/// "end".
class LogStream final : public http::Stream {
 public:
  struct Followed {
    bool over = false;  // the job had ended by `after`
    bool gaps = false;  // a task's attempts may leave numbers out
  };
  /// `after`: events of the job from there on are news.
  LogStream(LogReader read_log, const act::LogQuery& query, EventFeed& feed, FeedPosition after,
            Followed job);

  void open(std::function<void()> wake) override;
  State read(std::string& out) override;

 private:
  void look_for_the_end();
  std::optional<Result<act::LogChunk>> answer_to(const act::LogQuery& query);
  bool write_piece(const act::LogChunk& chunk, std::string& out);
  void write_dropped(const act::LogChunk& chunk, std::string& out);
  State go_on_in(std::int32_t attempt);
  act::LogQuery next_attempt() const;
  act::LogQuery latest_attempt() const;

  LogReader read_log_;
  std::function<void()> wake_;
  Question<act::LogChunk> question_;
  enum class Seeks : std::uint8_t { Nothing, Next, Latest };
  Seeks seeks_ = Seeks::Nothing;  // of which attempt a log is asked for
  act::LogQuery query_;
  EventFeed& feed_;
  FeedPosition after_;
  bool over_;
  const bool gaps_;
  bool first_ = true;
  std::optional<EventFeed::Subscription> subscription_;
};

}  // namespace gyre::server
