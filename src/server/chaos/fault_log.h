#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/chaos/fault_record.h"

namespace gyre::server {

/// The faults of a fleet and the switch that allows them, kept in a file from one life of the
/// server to the next. Not thread-safe.
class FaultLog {
 public:
  /// Gives what is kept to servers that may follow this one. Errors: then it is not kept at all.
  using Share = std::function<Result<void>(const std::string& content)>;

  /// Reads `path`. What is damaged there is put aside as `path`.damaged, and the switch is off.
  /// `share` null: no other server may follow.
  explicit FaultLog(std::string path, Share share = nullptr);
  /// What was wrong with the file; empty: nothing.
  const std::string& trouble() const { return trouble_; }

  bool on() const { return on_; }
  const std::string& turned_by() const { return turned_by_; }
  std::optional<Time> turned_at() const { return turned_at_; }
  /// Off counts even where it cannot be kept. Errors: the disk's.
  Result<void> turn(bool on, const std::string& by, Time at);

  /// Takes one in, and gives it its number. Errors: the disk's; then it must not happen.
  Result<FaultRecord> add(FaultRecord fault);
  /// Requires: it has been added. What cannot be kept still counts in this life.
  void update(const FaultRecord& fault);

  /// The oldest first; the latest kFaultsKept.
  const std::deque<FaultRecord>& faults() const { return faults_; }
  /// Ever, by kind.
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

  static constexpr std::size_t kFaultsKept = 1'000;

 private:
  Result<void> read(const std::string& text);
  Result<void> keep() const;

  const std::string path_;
  const Share share_;
  std::string trouble_;
  bool on_ = true;
  std::string turned_by_;
  std::optional<Time> turned_at_;
  std::uint64_t last_ = 0;
  std::deque<FaultRecord> faults_;
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace gyre::server
