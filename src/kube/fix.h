#pragma once

#include <string>
#include <vector>

#include "kube/convert.h"
#include "kube/validate.h"

namespace penumbra::kube {

/// One repair: where, what was done, and why it is what was meant.
struct Fix {
    Mark mark;
    std::string path;
    std::string what;
};

/// Repairs the mistakes that we understand, in place: fields at the wrong level, required fields that are missing,
/// options under a name that the version does not know, names that are one slip away from a right one. What it had to
/// assume is said in the fix, and as a comment in the manifest where only the user can know it.
std::vector<Fix> apply_fixes(Manifest& manifest, const ConvertOptions& options);

}  // namespace penumbra::kube
