// The HTTP edge without sockets: bytes, requests, the guard, the routes, and a core that answers.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/assert.h"
#include "server/api/api.h"
#include "server/http/guard.h"
#include "server/http/request_parser.h"

namespace {

using namespace gyre;
using server::http::RequestParser;

/// The node, which keeps two short logs of job 1.
class FuzzNode final : public act::OrderSink {
 public:
  explicit FuzzNode(live::Fleet& fleet) {
    act::Hello hello;
    hello.node = {"node", "", "H100", 2, MemoryMib{81920}, CpuMilli{8000}, MemoryMib{16384}, true};
    hello.logs = {{JobId{1}, 1, 0}, {JobId{1}, 2, 0}};
    session_ = std::move(*fleet.open(hello, *this, false));
    GYRE_ASSERT(fleet.bind(1, NodeId{0}, hello));
  }
  void give(const act::Order& order) override {
    const auto* read = std::get_if<act::ReadLog>(&order);
    if (read != nullptr) session_->report(act::LogRead{read->id, this->read(read->query)});
  }
  void end(const Error&) override {}

 private:
  static Result<act::LogChunk> read(const act::LogQuery& query) {
    static const std::string kText = "out\xc3\xa9\xff\n";
    if (query.offset > kText.size()) return fail(ErrorKind::Invalid, "beyond the end");
    act::LogChunk chunk;
    chunk.data = kText.substr(query.offset, query.bytes_max);
    chunk.attempt = query.attempt.value_or(2);
    chunk.next_offset = query.offset + chunk.data.size();
    chunk.size = kText.size();
    chunk.over = true;
    return chunk;
  }

  std::unique_ptr<live::Fleet::Session> session_;
};

struct Edge {
  control::Controller core{control::Config{}};
  live::Inbox inbox;
  live::Fleet fleet{inbox, {}, [] { return Duration{}; }};
  FuzzNode node{fleet};
  server::Watch watch{4, core, Time{}};
  server::Api api{inbox, fleet, watch};
  std::uint64_t seq = 0;

  Edge() {
    tell(PolicySet{named_policies().back()});
    tell(QueueSet{{"default", ""}});
    tell(NodeJoined{
        NodeId{0},
        {"node", "", "H100", 2, MemoryMib{81920}, CpuMilli{8000}, MemoryMib{16384}, true}});
  }

  void tell(Event::Body body) {
    const Event event{Time{static_cast<std::int64_t>(++seq)}, EventSeq{seq}, std::move(body)};
    watch.after(event, core.step(event), core);
    watch.committed(event.seq);
  }

  /// What a world does with requests, at once; who is told that one is done may ask again.
  void work() {
    turn();
    turn();
  }

  void turn() {
    for (auto& query : inbox.take_queries()) query(core);
    while (auto request = inbox.take()) {
      if (auto* submission = std::get_if<live::Inbox::Submission>(&*request)) {
        submission->done(JobId{core.jobs().last().value + 1});
        tell(JobSubmitted{JobId{core.jobs().last().value + 1}, submission->spec,
                          submission->submission_key});
      } else if (auto* posting = std::get_if<live::Inbox::Posting>(&*request)) {
        tell(posting->body);
        posting->done(EventSeq{seq});
      }
    }
  }

  void ask(server::http::Request request) {
    std::optional<server::http::Response> response;
    if (const auto problem = server::http::check_origin(request)) {
      response = server::http::respond(*problem);
    } else {
      api.handle(std::move(request), [&](server::http::Answer answer) { response = answer(); });
      work();
    }
    GYRE_ASSERT(response.has_value());
    GYRE_ASSERT(response->status >= 200 && response->status < 600);
    std::string text = server::http::response_head(*response, true, false);
    if (!response->stream) return;
    response->stream->open([] {});
    for (int i = 0; i < 8; ++i) {
      if (response->stream->read(text) == server::http::Stream::State::End) break;
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Edge edge;
  RequestParser parser({.header_bytes_max = 2048, .body_bytes_max = 4096});
  // The first byte cuts the rest into pieces, as a network would.
  const std::size_t piece = size == 0 ? 1 : data[0] + std::size_t{1};
  std::string input;
  for (std::size_t at = 1; at < size; at += piece) {
    input.append(reinterpret_cast<const char*>(data) + at, std::min(piece, size - at));
    for (;;) {
      const auto status = parser.feed(input);
      if (status == RequestParser::Status::Bad) {
        server::http::respond(parser.problem());
        return 0;
      }
      if (status != RequestParser::Status::Ready) break;
      edge.ask(parser.take());
    }
  }
  return 0;
}
