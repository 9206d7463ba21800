#include "adapter/postgres/shared_files.h"

#include <mutex>
#include <optional>

namespace gyre::adapter::postgres {
namespace {

constexpr Duration kPatience = seconds(5);

}  // namespace

struct SharedFiles::Impl {
  Target target;
  std::int64_t term = 0;
  std::mutex mutex{};
  std::optional<Connection> connection{};

  /// On a connection that may have been lost since the last time: once more then.
  template <class Work>
  auto work(Work work) -> decltype(work()) {
    const std::lock_guard guard(mutex);
    for (bool again = connection.has_value();; again = false) {
      if (!connection) {
        auto opened = Connection::open(target, kPatience);
        if (!opened) return tl::unexpected(opened.error());
        connection.emplace(std::move(*opened));
      }
      auto done = work();
      const bool lost = !done && done.error().kind == ErrorKind::Unavailable;
      if (lost) connection.reset();
      if (!lost || !again) return done;
    }
  }
};

SharedFiles::SharedFiles(Target target, std::int64_t term)
    : impl_(new Impl{std::move(target), term}) {}
SharedFiles::~SharedFiles() = default;

Result<std::vector<std::pair<std::string, std::string>>> SharedFiles::all() {
  using Files = std::vector<std::pair<std::string, std::string>>;
  return impl_->work([this]() -> Result<Files> {
    const auto rows = impl_->connection->ask("SELECT name, body FROM files ORDER BY name");
    if (!rows) return tl::unexpected(rows.error());
    Files files;
    for (int row = 0; row < rows->size(); ++row) {
      files.emplace_back(rows->text(row, 0), rows->text(row, 1));
    }
    return files;
  });
}

Result<void> SharedFiles::put(const std::string& name, const std::string& content) {
  return impl_->work([&]() -> Result<void> {
    const auto done = impl_->connection->ask(
        "INSERT INTO files SELECT $1, $2 FROM (SELECT 1 FROM lease WHERE term = $3 FOR SHARE) held "
        "ON CONFLICT (name) DO UPDATE SET body = excluded.body",
        {text(name), text(content), number(impl_->term)});
    if (!done) return tl::unexpected(done.error());
    if (done->affected() == 1) return {};
    return fail(ErrorKind::Conflict, "another server leads on the journal {}", impl_->target.shown);
  });
}

}  // namespace gyre::adapter::postgres
