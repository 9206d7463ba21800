#include <memory>
#include <optional>
#include <utility>

#include "base/units.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

constexpr std::size_t kEventsPerPiece = 256;

void write_event(JsonText& out, const JobEvent& event) {
  const Transition& change = event.transition;
  out.open('{')
      .member("id", to_string(event.position))
      .member("at", format_utc(change.at))
      .member("job", change.job.value)
      .member("name", event.job_name)
      .member("attempt", change.attempt);
  out.key("from");
  if (change.from == change.to && event.detail.empty()) {
    out.null();  // it arrived
  } else {
    out.value(to_string(change.from));
  }
  out.member("to", to_string(change.to)).key("reason");
  if (change.cause == Termination::None) {
    out.null();
  } else {
    out.value(to_string(change.cause));
  }
  out.member("detail", event.detail).close('}');
}

/// Follows the feed. A reader that is slower than the feed is told what it missed; it holds nothing
/// but its position.
class EventStream final : public http::Stream {
 public:
  EventStream(EventFeed& feed, FeedPosition after, std::optional<JobId> job)
      : feed_(feed), after_(after), job_(job) {}

  void open(std::function<void()> wake) override { subscription_.emplace(feed_, std::move(wake)); }

  State read(std::string& out) override {
    const EventFeed::Page page = feed_.read(after_, job_, kEventsPerPiece);
    after_ = page.last;
    if (std::exchange(first_, false)) out += ":\n";  // the client sees that the stream is open
    if (page.missed) out += "event: missed\ndata: {}\n\n";
    for (const JobEvent& event : page.events) {
      JsonText text;
      write_event(text, event);
      out += "id: " + to_string(event.position) + "\nevent: job\ndata: " + text.take() + "\n\n";
    }
    return page.more ? State::More : State::Idle;
  }

 private:
  EventFeed& feed_;
  FeedPosition after_;
  const std::optional<JobId> job_;
  bool first_ = true;
  std::optional<EventFeed::Subscription> subscription_;
};

bool wants_stream(const http::Request& request, bool follow) {
  return follow || request.header("accept").find("text/event-stream") != std::string_view::npos;
}

http::Response event_page(const EventFeed::Page& page) {
  JsonText out;
  out.open('{').key("events").open('[');
  for (const JobEvent& event : page.events) write_event(out, event);
  out.close(']').member("missed", page.missed).member("next_cursor", to_string(page.last));
  out.member("more", page.more).close('}');
  return json_response(std::move(out));
}

}  // namespace

void Api::add_event_routes() {
  router_.add("GET", "/v1/events", {"job", "cursor", "limit", "follow"},
              [this](const Call& call) { list_events(call); });
}

void Api::list_events(const Call& call) const {
  std::optional<JobId> job;
  if (const auto text = call.request.query_value("job")) {
    const auto id = read_job_id(std::string(*text));
    if (!id) return call.fail(bad_parameter("job", id.error().message));
    job = *id;
  }
  std::optional<FeedPosition> after;
  const std::string_view last_id = call.request.header("last-event-id");
  const std::string_view cursor =
      last_id.empty() ? call.request.query_value("cursor").value_or("") : last_id;
  if (!cursor.empty()) {
    after = parse_feed_position(cursor);
    if (!after) return call.fail(bad_parameter("cursor", "it must be the 'id' of an event"));
  }
  bool follow = false;
  std::uint64_t limit = options_.page_default;
  if (auto wrong = read_flag(call.request, "follow", follow)) return call.fail(*wrong);
  if (auto wrong = read_number(call.request, "limit", options_.page_max, limit)) {
    return call.fail(*wrong);
  }
  if (!wants_stream(call.request, follow)) {
    return call.answer(event_page(feed_.read(after, job, limit)));
  }
  http::Response response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = std::make_unique<EventStream>(feed_, after.value_or(feed_.last()), job);
  call.answer(std::move(response));
}

}  // namespace gyre::server
