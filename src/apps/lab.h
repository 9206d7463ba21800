#pragma once

#include <functional>
#include <string>

#include "server/lab/lab.h"

namespace gyre::apps {

/// Plays a server's own journal under other policies, as `gyre replay --policy` does, at the lowest
/// priority. It reads what a server may be writing, and never writes it.
class JournalPlayer final : public server::LabPlayer {
 public:
  explicit JournalPlayer(std::string journal) : journal_(std::move(journal)) {}
  Result<std::string> play(const server::LabQuestion& question, const Tell& tell) override;

 private:
  const std::string journal_;
};

/// A folder with a file for each result. One thread at a time a file.
class ResultFolder final : public server::LabShelf {
 public:
  explicit ResultFolder(std::string path) : path_(std::move(path)) {}
  std::vector<Kept> all() override;
  Result<void> put(std::uint64_t id, const std::string& text) override;
  void remove(std::uint64_t id) override;

 private:
  std::string file(std::uint64_t id) const;
  const std::string path_;
};

/// The policy lab of a server.
struct PolicyLab {
  PolicyLab(const std::string& state, const std::string& journal,
            std::function<void(const std::string&)> notice);

  JournalPlayer player;
  ResultFolder results;
  server::Lab lab;
};

}  // namespace gyre::apps
