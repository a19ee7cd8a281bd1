#!/usr/bin/env bash
# pip install 'glam-energy[disclosure]'
# From a metered command to the energy section of a model card, and a page with all figures.
set -euo pipefail

energy run --out runs/card --zone US --label task=demo -- python -c "sum(range(10**7))"
energy lint runs/card
energy report runs/card --format hf-card --set training_type=pre-training \
  --set site_name=Virginia --set chip="two cores of a server" --out runs/card/model_card.md
energy report runs/card --format html --out runs/card/model_card.html
cat runs/card/model_card.md
