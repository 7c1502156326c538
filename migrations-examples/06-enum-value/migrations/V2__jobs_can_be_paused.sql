ALTER TYPE job_state ADD VALUE 'paused' AFTER 'running';
