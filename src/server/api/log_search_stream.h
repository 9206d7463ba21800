#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "act/task_logs.h"
#include "server/api/log_stream.h"
#include "server/api/question.h"
#include "server/http/message.h"

namespace gyre::server {

/// Finds the lines that have a text in a log that comes in pieces; upper and lower case of ASCII
/// letters count as alike. Of a line longer than kLineMax each part counts as a line. Its memory is
/// one such line and one piece. Pure.
class LineSearch {
 public:
  static constexpr std::size_t kLineMax = 65'536;
  static constexpr std::size_t kShownMax = 512;  // bytes of a line that are told

  /// Requires: `text` is not empty and has no line feed.
  explicit LineSearch(std::string_view text);

  struct Line {
    std::uint64_t offset = 0;  // of the line's first byte
    std::string text;          // the whole line, or what stands around the first place that matches
    bool operator==(const Line&) const = default;
  };
  /// The lines that are whole with this piece, which begins at `offset`. Where that is not where
  /// the last one ended, what came before counts as a line.
  std::vector<Line> take(std::uint64_t offset, std::string_view piece);
  /// The last line, if it matches: nothing follows.
  std::vector<Line> end();

 private:
  void search(std::string_view lines, std::vector<Line>& found) const;

  std::string wanted_;       // in lower case
  std::uint64_t begin_ = 0;  // of `open_`
  std::string open_;         // a line whose end is still to come
};

/// Reads one task's log of one attempt from a place to its end, as that is when it gets there, and
/// tells the lines that have a text. Events: "line" with {"offset","text"}; "progress" with
/// {"searched","size"}, bytes from the log's beginning; last of all "end" with
/// {"attempt","searched","size","dropped","more"}, or "failed" with {"detail"}. "more": the search
/// stopped after `lines_max` lines.
class LogSearchStream final : public http::Stream {
 public:
  /// `first` is what the query has been answered with.
  LogSearchStream(LogReader read_log, act::LogQuery query, act::LogChunk first,
                  std::string_view text, std::size_t lines_max);

  void open(std::function<void()> wake) override { wake_ = std::move(wake); }
  State read(std::string& out) override;

 private:
  bool tell(std::vector<LineSearch::Line> lines, std::string& out);
  State finish(bool more, std::string& out);
  State take(const act::LogChunk& chunk, std::string& out);

  LogReader read_log_;
  std::function<void()> wake_;
  Question<act::LogChunk> question_;
  act::LogQuery query_;
  std::optional<act::LogChunk> first_;
  LineSearch search_;
  std::size_t lines_left_;
  std::uint64_t size_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t told_ = 0;  // how far, in the last "progress"
};

}  // namespace gyre::server
