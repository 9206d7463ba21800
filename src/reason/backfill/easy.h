#pragma once

#include <optional>

#include "domain/reservation.h"
#include "reason/question.h"
#include "reason/running.h"

namespace gyre::reason {

/// The earliest time at which `head` can start if running jobs end when expected and nothing else
/// starts, and where (EASY's shadow time; Lifka, JSSPP 1995). nullopt if it does not fit even then.
/// O(k * search) for the k jobs that end before that.
std::optional<Reservation> reserve(const Question& question, JobId head, const Demand& demand,
                                   const Running& running);

/// Takes away what is free now but needed by the reservation then, so that a search sees only what
/// a job may use however long it runs.
void hold(Trial& trial, const Cluster& cluster, const Reservation& reservation);

/// Tells the reservation of a job placed beside it that may still run at its time.
void run_past(Reservation& reservation, const std::vector<TaskPlacement>& placement);

}  // namespace gyre::reason
