#include "adapter/otlp/exporter.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <utility>

#include "adapter/otlp/payload.h"

namespace gyre::otlp {
namespace {

struct Closer {
  void operator()(CURL* handle) const { ::curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};

std::size_t ignore_body(char*, std::size_t size, std::size_t count, void*) { return size * count; }

}  // namespace

Result<void> Exporter::check(const std::string& endpoint) {
  const std::unique_ptr<CURLU, decltype(&::curl_url_cleanup)> url(::curl_url(), ::curl_url_cleanup);
  const bool known = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  if (known && ::curl_url_set(url.get(), CURLUPART_URL, endpoint.c_str(), 0) == CURLUE_OK) {
    return {};
  }
  return fail(ErrorKind::Invalid, "'{}' is no address such as http://127.0.0.1:4318", endpoint);
}

Exporter::Exporter(ExporterOptions options) : options_(std::move(options)) {
  ::curl_global_init(CURL_GLOBAL_DEFAULT);
  worker_ = std::thread([this] { work(); });
}

Exporter::~Exporter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void Exporter::take(std::vector<observe::Span> spans) {
  if (spans.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t room = options_.waiting_max - std::min(options_.waiting_max, waiting_.size());
    const std::size_t taken = std::min(room, spans.size());
    std::move(spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(taken),
              std::back_inserter(waiting_));
    counts_.dropped += spans.size() - taken;
  }
  changed_.notify_all();
}

observe::SpanSink::Counts Exporter::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.waiting = waiting_.size();
  return counts;
}

void Exporter::work() {
  Duration pause = options_.gather;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    changed_.wait_for(lock, std::chrono::nanoseconds(pause.ns), [this] { return ending_; });
    if (waiting_.empty() && ending_) return;
    const auto end = waiting_.begin() +
                     static_cast<std::ptrdiff_t>(std::min(options_.batch_max, waiting_.size()));
    std::vector<observe::Span> batch(std::make_move_iterator(waiting_.begin()),
                                     std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    lock.unlock();
    const Outcome outcome = send(batch);
    lock.lock();
    pause = outcome == Outcome::Later ? std::min(options_.retry_max, pause * 2) : options_.gather;
    const bool give_up = outcome == Outcome::Later && ending_;
    settle(outcome, std::move(batch));
    if (give_up) return;
  }
}

void Exporter::settle(Outcome outcome, std::vector<observe::Span> batch) {
  if (outcome == Outcome::Sent) counts_.sent += batch.size();
  if (outcome == Outcome::Refused) counts_.dropped += batch.size();
  if (outcome != Outcome::Later) return;
  waiting_.insert(waiting_.begin(), std::make_move_iterator(batch.begin()),
                  std::make_move_iterator(batch.end()));
}

Exporter::Outcome Exporter::send(const std::vector<observe::Span>& batch) const {
  const std::unique_ptr<CURL, Closer> handle(::curl_easy_init());
  if (!handle) return Outcome::Later;
  const std::string body = trace_request(batch, options_.service_instance, options_.version);
  const std::string url = options_.endpoint + "/v1/traces";
  const std::unique_ptr<curl_slist, Closer> headers(
      ::curl_slist_append(nullptr, "Content-Type: application/json"));
  const auto set = [&](CURLoption option, auto value) {
    ::curl_easy_setopt(handle.get(), option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_POSTFIELDS, body.data());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT, options_.request_seconds);
  set(CURLOPT_WRITEFUNCTION, &ignore_body);
  if (::curl_easy_perform(handle.get()) != CURLE_OK) return Outcome::Later;
  long status = 0;
  ::curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 300) return Outcome::Sent;
  const bool later = status == 429 || status == 502 || status == 503 || status == 504;
  return later ? Outcome::Later : Outcome::Refused;
}

}  // namespace gyre::otlp
