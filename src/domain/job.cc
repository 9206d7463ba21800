#include "domain/job.h"

#include "base/assert.h"

namespace gyre {
namespace {

using enum JobState;

// Row: from; column: to; in the order of JobState.
constexpr std::array<std::array<bool, kJobStateCount>, kJobStateCount> kLegal{{
    // queued starting running preempting stopping succeeded failed cancelled
    {false, true, false, false, false, false, true, true},     // queued
    {false, false, true, true, true, false, false, false},     // starting
    {false, false, false, true, true, true, false, false},     // running
    {true, false, false, false, true, true, false, false},     // preempting
    {true, false, false, false, false, false, true, true},     // stopping
    {false, false, false, false, false, false, false, false},  // succeeded
    {false, false, false, false, false, false, false, false},  // failed
    {false, false, false, false, false, false, false, false},  // cancelled
}};

constexpr std::array<std::string_view, kJobStateCount> kStateNames{
    "queued", "starting", "running", "preempting", "stopping", "succeeded", "failed", "cancelled"};

constexpr std::array<std::string_view, 12> kTerminationNames{
    "none",         "completed",         "task_failed", "start_refused", "node_lost", "preempted",
    "user_request", "deadline_exceeded", "never_fits",  "misconfigured", "retired",   "idle"};

}  // namespace

bool is_legal_transition(JobState from, JobState to) {
  return kLegal[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}

bool is_final(JobState state) {
  return state == Succeeded || state == Failed || state == Cancelled;
}

bool is_placed(JobState state) {
  return state == Starting || state == Running || state == Preempting || state == Stopping;
}

std::int32_t attempt_of(const Job& job, std::int32_t rank) {
  const auto index = static_cast<std::size_t>(rank);
  return index < job.attempts.size() ? job.attempts[index].number : job.attempt;
}

Time placed_at(const Job& job, std::int32_t rank) {
  const auto index = static_cast<std::size_t>(rank);
  return index < job.attempts.size() ? job.attempts[index].placed_at : job.attempt_started_at;
}

std::string_view to_string(JobState state) { return kStateNames[static_cast<std::size_t>(state)]; }

std::string_view to_string(Termination cause) {
  return kTerminationNames[static_cast<std::size_t>(cause)];
}

}  // namespace gyre
